"""`portico openapi`: the API's description."""

import click

from entrypoints.cli.files import STANDARD, writable_file, written
from entrypoints.http.app import openapi_document


@click.command()
@click.option("--output", type=writable_file, default=STANDARD, metavar="FILE", help="By default stdout.")
def openapi(output: str) -> None:
    """Write the OpenAPI document."""
    with written(output) as file:
        file.write(openapi_document() + b"\n")

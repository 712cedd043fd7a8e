"""`portico openapi`: the API's description."""

from typing import BinaryIO

import click

from entrypoints.http.app import openapi_document


@click.command()
@click.option("--output", type=click.File("wb", atomic=True), default="-", metavar="FILE", help="By default stdout.")
def openapi(output: BinaryIO) -> None:
    """Write the OpenAPI document."""
    output.write(openapi_document() + b"\n")

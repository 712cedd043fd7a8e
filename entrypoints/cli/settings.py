"""`portico settings`: what is in force."""

import click

from entrypoints.cli.output import json_option, print_record
from entrypoints.settings import load_settings, masked


@click.command()
@json_option
def settings(*, as_json: bool) -> None:
    """Show the effective settings, secrets masked."""
    print_record(masked(load_settings()), as_json=as_json)

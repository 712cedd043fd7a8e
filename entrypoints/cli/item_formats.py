"""In which format a file of rows is, as far as its name tells."""

from pathlib import Path

import click

from entrypoints.cli.files import STANDARD
from entrypoints.item_rows import RowFormat

_ENDINGS = {".ndjson": RowFormat.NDJSON, ".jsonl": RowFormat.NDJSON, ".csv": RowFormat.CSV}

format_option = click.option(
    "--format",
    "row_format",
    type=click.Choice([each.value for each in RowFormat]),
    help="By default as the name of FILE ends, and ndjson for -.",
)


def format_of(file: str, row_format: str | None) -> RowFormat:
    """Return the format that was given, or the one of that name; raises UsageError if neither tells."""
    if row_format is not None:
        return RowFormat(row_format)
    if file == STANDARD:
        return RowFormat.NDJSON
    try:
        return _ENDINGS[Path(file).suffix.lower()]
    except KeyError:
        raise click.UsageError(f"Give --format: {file} does not end in {', '.join(_ENDINGS)}.") from None

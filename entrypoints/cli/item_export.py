"""`portico items export`."""

import sys
from collections.abc import AsyncGenerator, Sequence
from typing import BinaryIO

import click
from dishka import FromDishka

from application.items.bulk import ExportItems
from application.items.views import ItemView
from application.users.administration import FindUser, ShowUser
from entrypoints.cli.accounts import find_owner, owner_option
from entrypoints.cli.files import STANDARD, writable_file, written
from entrypoints.cli.item_formats import format_of, format_option
from entrypoints.cli.messages import counted, print_message
from entrypoints.cli.progress import progress
from entrypoints.cli.runner import injected
from entrypoints.item_rows import RowFormat, written_items


@click.command()
@click.argument("file", type=writable_file)
@owner_option
@format_option
def export(*, file: str, owner: str, row_format: str | None) -> None:
    """Write all items of an account to FILE, the oldest first; - is stdout.

    FILE is written whole or not at all.
    """
    parsed_format = format_of(file, row_format)
    # Otherwise it would run through what is being written to the same terminal.
    is_shown = file != STANDARD or sys.stdout is None or not sys.stdout.isatty()
    # Outside the loop, where a signal ends the wait for the other end of a pipe.
    with written(file) as target:
        rows = _export(target=target, owner=owner, row_format=parsed_format, is_shown=is_shown)
    print_message(f"Exported {counted(rows, 'item')}.")


@injected
async def _export(
    export_items: FromDishka[ExportItems],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    target: BinaryIO,
    owner: str,
    row_format: RowFormat,
    is_shown: bool,
) -> int:
    actor = await find_owner(owner, show_user=show_user, find_user=find_user)
    rows = 0

    async def items() -> AsyncGenerator[Sequence[ItemView]]:
        nonlocal rows
        async for some in await export_items(actor):
            rows += len(some)
            yield some

    with progress("Exporting", is_shown=is_shown) as tell:
        async for part in written_items(items(), row_format):
            target.write(part)
            tell(rows, 0)
    return rows

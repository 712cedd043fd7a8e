"""`portico items export`."""

import sys
from collections.abc import AsyncGenerator, Sequence

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
    _export(file=file, owner=owner, row_format=format_of(file, row_format))


@injected
async def _export(
    export_items: FromDishka[ExportItems],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    file: str,
    owner: str,
    row_format: RowFormat,
) -> None:
    actor = await find_owner(owner, show_user=show_user, find_user=find_user)
    rows = 0
    # Otherwise it would run through what is being written to the same terminal.
    is_shown = file != STANDARD or sys.stdout is None or not sys.stdout.isatty()
    with written(file) as target, progress("Exporting", is_shown=is_shown) as tell:

        async def items() -> AsyncGenerator[Sequence[ItemView]]:
            nonlocal rows
            async for some in await export_items(actor):
                rows += len(some)
                yield some

        async for part in written_items(items(), row_format):
            target.write(part)
            tell(rows, 0)
    print_message(f"Exported {counted(rows, 'item')}.")

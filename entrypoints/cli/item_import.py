"""`portico items import`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import BinaryIO

import click
import msgspec
from dishka import FromDishka

from application.items.bulk import ImportedBatch, ImportedRow, ImportItems, RefusedRow
from application.users.administration import FindUser, ShowUser
from domain.errors import Conflict, Invalid, Unavailable
from entrypoints.cli.accounts import find_owner, owner_option
from entrypoints.cli.files import STANDARD, Chunks, ReadingStopped, has_a_place, is_same_file, opened, readable_file
from entrypoints.cli.item_formats import format_of, format_option
from entrypoints.cli.messages import counted, print_message
from entrypoints.cli.output import json_option, print_json
from entrypoints.cli.progress import progress
from entrypoints.cli.refused_rows import RefusedRows
from entrypoints.cli.runner import injected
from entrypoints.item_rows import ItemRow, RowFormat, item_reader
from entrypoints.row_names import RowNames, row_names
from entrypoints.streams.rows import ReadRow, read_rows


class RowsRefused(Conflict):
    """Some rows were refused."""

    code = "rows_refused"


@dataclass(slots=True)
class _Tally:
    """What became of the rows so far."""

    created: int = 0
    known: int = 0
    failed: int = 0
    first_refused: RefusedRow | None = None

    def add(self, batch: ImportedBatch) -> None:
        self.created += batch.created
        self.known += batch.known
        self.failed += len(batch.refused)
        if self.first_refused is None and batch.refused:
            self.first_refused = batch.refused[0]

    @property
    def rows(self) -> int:
        return self.created + self.known + self.failed

    def __str__(self) -> str:
        return (
            f"Created {counted(self.created, 'item')}; {self.known:,} were there already; "
            f"{counted(self.failed, 'row')} refused."
        )


@click.command("import")
@click.argument("file", type=readable_file)
@owner_option
@format_option
@click.option(
    "--refused",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    metavar="FILE",
    help="Where to write what is refused; by default FILE.refused, and stderr (-) if FILE is a pipe.",
)
@json_option
def import_(*, file: str, owner: str, row_format: str | None, refused: str | None, as_json: bool) -> None:
    """Add the items of FILE, of any size, to an account's; - is stdin.

    It can be interrupted at any time, and given again: a row whose item is there already, from this file or from
    another one with the same row, is passed over. So the same file, with rows added or changed, adds only what is new.
    Rows are the same if their title, description and tags are. A row that is in a file twice makes two items. An item
    that was changed since stays changed; one that was deleted since comes back.

    Good rows are stored 1,000 at a time, whatever the others are. Each row that is refused is written to FILE.refused,
    from which what an earlier import wrote is removed first, as a line of JSON:
    {"line": 7, "errors": [{"pointer": "/title", "detail": "..."}], "row": "..."}.
    """
    parsed_format = format_of(file, row_format)
    is_ours = refused is None
    if refused is None:
        refused = f"{file}.refused" if has_a_place(file) else STANDARD
    elif refused != STANDARD and is_same_file(file, refused):
        raise click.UsageError("What is refused can't be written to the file that is read.")
    tally = _Tally()
    try:
        rows_refused = RefusedRows(refused, is_ours=is_ours)
        # Outside the loop, where a signal ends the wait for the other end of a pipe.
        with opened(file) as source:
            _import(source=source, owner=owner, row_format=parsed_format, rows_refused=rows_refused, tally=tally)
    except KeyboardInterrupt as interrupt:
        print_message(f"Interrupted. {tally} What was stored stays; the same command goes on.")
        raise click.Abort from interrupt
    except Unavailable as error:
        if not tally.rows:
            raise
        raise type(error)(f"{error} {tally} What was stored stays; the same command goes on.") from error.__cause__
    print_message(str(tally))
    if as_json:
        print_json({"created": tally.created, "known": tally.known, "failed": tally.failed})
    if tally.first_refused is not None:
        raise RowsRefused(_refusal(tally.failed, tally.first_refused, refused))


@injected
async def _import(
    import_items: FromDishka[ImportItems],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    source: BinaryIO,
    owner: str,
    row_format: RowFormat,
    rows_refused: RefusedRows,
    tally: _Tally,
) -> None:
    actor = await find_owner(owner, show_user=show_user, find_user=find_user)
    with row_names() as names:
        rows_refused.begin()
        chunks = Chunks(source)
        rows = _expected(read_rows(chunks, item_reader(row_format)), rows_refused, names)

        async def store() -> None:
            with progress("Importing", size=chunks.size) as tell:
                async with aclosing(await import_items(actor, rows)) as batches:
                    async for batch in batches:
                        tally.add(batch)
                        rows_refused.settle(batch)
                        tell(tally.rows, chunks.position)
                tell(tally.rows, chunks.position)

        storing = asyncio.create_task(store())
        try:
            await asyncio.shield(storing)
        except asyncio.CancelledError:
            # A statement is better not cut off, and a batch takes no second.
            chunks.stop()
            with suppress(ReadingStopped):
                await storing
            raise


async def _expected(
    chunks: AsyncIterable[Sequence[ReadRow[ItemRow]]], rows_refused: RefusedRows, names: RowNames
) -> AsyncGenerator[list[ImportedRow]]:
    async for rows in chunks:
        rows_refused.expect(rows)
        yield [_imported(row, names) for row in rows]


def _imported(row: ReadRow[ItemRow], names: RowNames) -> ImportedRow:
    if isinstance(row.body, Invalid):
        return ImportedRow(row.line, row.body, size=len(row.raw))
    return ImportedRow(row.line, row.body.draft(), names.name(_said(row.body)), size=len(row.raw))


def _said(row: ItemRow) -> bytes:
    """Return what is stored of a row: all by which it is known again, from whatever file."""
    return msgspec.json.encode(ItemRow(row.title, row.description, list(dict.fromkeys(row.tags))))


def _refusal(failed: int, first: RefusedRow, path: str) -> str:
    reasons = "; ".join(f"{error.field}: {error.detail}" if error.field else error.detail for error in first.errors)
    where = "" if path == STANDARD else f"; see {path}"
    return f"{counted(failed, 'row')} refused, the first in line {first.line:,} ({reasons}){where}."

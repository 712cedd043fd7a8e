"""How commands print: data on stdout, as a table or as JSON, lists page by page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import click
import msgspec

from application.paging import PAGE_MAX, Page, Place
from entrypoints.cli.files import stdout
from entrypoints.cli.messages import printable

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API has it.")
limit_option = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Print at most N; by default all.")

_UNLIMITED = 1_000_000
"""Columns: what reads from a pipe gets whole rows, however long."""


def print_text(text: str | bytes, *, ends_line: bool = True) -> None:
    """Print a text. Raises FileFails, as all that print do."""
    with stdout():
        click.echo(text, nl=ends_line)


def print_json(value: object) -> None:
    """Print one value as JSON."""
    print_text(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_record(value: object, *, as_json: bool) -> None:
    """Print one value: as JSON, or its fields, a line each."""
    if as_json:
        print_json(value)
    else:
        fields: dict[str, Any] = msgspec.to_builtins(value)
        _print_table([(name, _cell(part)) for name, part in fields.items()], header=())


async def pages[View](
    fetch: Callable[[int, Place | None], Awaitable[Page[View]]], *, limit: int | None
) -> AsyncIterator[Sequence[View]]:
    """Walk a list up to the limit, or to its end; `fetch` is told how many to return, and behind which place."""
    after: Place | None = None
    left = limit
    while left is None or left > 0:
        page = await fetch(PAGE_MAX if left is None else min(left, PAGE_MAX), after)
        yield page.data
        if page.next is None:
            return
        after = page.next
        left = None if left is None else left - len(page.data)


async def print_list[View](found: AsyncIterator[Sequence[View]], *, columns: Sequence[str], as_json: bool) -> None:
    """Print pages as they come: as one JSON array, or as a table of these columns."""
    if as_json:
        await _print_array(found)
        return
    header = columns
    async for page in found:
        rows = [msgspec.to_builtins(view) for view in page]
        _print_table([[_cell(row[column]) for column in columns] for row in rows], header=header)
        header = ()


async def _print_array[View](found: AsyncIterator[Sequence[View]]) -> None:
    opening = b"["
    async for page in found:
        for view in page:
            print_text(opening + msgspec.json.encode(view), ends_line=False)
            opening = b",\n"
    print_text(b"[]" if opening == b"[" else b"]")


def _print_table(rows: Sequence[Sequence[str]], *, header: Sequence[str]) -> None:
    # rich costs 0.1 s, and only people look at tables.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*header, box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(header))
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    with stdout() as out:
        Console(file=out, width=None if out.isatty() else _UNLIMITED).print(table)


def _cell(value: object) -> str:
    """Write a value on one line, without what a terminal would obey."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(_cell, value))
        case _:
            return printable(str(value))

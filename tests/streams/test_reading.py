"""Reading the rows of a file, whatever its format."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from entrypoints.streams.csv_rows import CsvReader
from entrypoints.streams.ndjson import NdjsonReader
from entrypoints.streams.rows import RowReader, read_rows


class Note(msgspec.Struct):
    """What the rows are read as here."""

    text: str


def ndjson() -> RowReader[Note]:
    return NdjsonReader(Note)


def table() -> RowReader[Note]:
    return CsvReader(Note, {"text": lambda text: text})


@pytest.mark.parametrize(
    ("reader", "chunk"),
    [
        pytest.param(ndjson(), b"1\n" * 20_000, id="rows of ndjson"),
        pytest.param(ndjson(), b"\n" * 50_000, id="empty lines of ndjson"),
        pytest.param(table(), b"text\n" + b'""\n' * 15_000, id="rows of csv"),
        pytest.param(table(), b'text\n"' + b"a\n" * 20_000, id="a cell that never ends"),
    ],
)
async def test_others_have_their_turn_while_a_large_chunk_is_read(reader: RowReader[Note], chunk: bytes) -> None:
    turns = 0

    async def chunks() -> AsyncIterator[bytes]:
        yield chunk

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    sizes = [len(rows) async for rows in read_rows(chunks(), reader)]
    waiting.cancel()

    assert turns > len(chunk) / 10_000
    assert max(sizes, default=0) <= 500

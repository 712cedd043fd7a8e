"""What formats have in common."""

import asyncio
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Protocol

from domain.errors import FieldError, Invalid

LINE_MAX = 1 << 18
"""Bytes of a line, or of a row of several. Longer than any that could be good, and short enough to hold."""

BYTE_ORDER_MARK = BOM_UTF8
"""What some programs put before UTF-8."""

_AT_ONCE = 1 << 13
"""Bytes that are read, and not more than so many rows of them, while nobody else has a turn: some milliseconds."""
_ROWS_AT_ONCE = 500

TOO_LONG = FieldError("", f"is longer than {LINE_MAX} bytes")


@dataclass(frozen=True, slots=True)
class ReadRow[Body]:
    """A row of a file: where it begins, what it says or why it can't be read, and how it was written."""

    line: int
    body: Body | Invalid
    raw: bytes = b""


class RowReader[Body](Protocol):
    """Reads one file. What it is fed may end anywhere, also in the middle of a character."""

    def feed(self, chunk: bytes) -> Iterator[ReadRow[Body]]:
        """Yield the rows that are complete now. Raises Invalid for a file that can't be read at all."""
        ...

    def finish(self) -> Iterator[ReadRow[Body]]:
        """Yield what is left at the end of the file. Raises Invalid likewise."""
        ...


async def read_rows[Body](
    chunks: AsyncIterable[bytes], reader: RowReader[Body]
) -> AsyncGenerator[Sequence[ReadRow[Body]]]:
    """Yield the rows of a file, some at a time, between which others have their turn: a chunk may have very many."""
    async for chunk in chunks:
        for at in range(0, len(chunk), _AT_ONCE):
            for rows in batched(reader.feed(chunk[at : at + _AT_ONCE]), _ROWS_AT_ONCE):
                yield rows
                await asyncio.sleep(0)
            await asyncio.sleep(0)
    for rows in batched(reader.finish(), _ROWS_AT_ONCE):
        yield rows
        await asyncio.sleep(0)

"""Lines of what comes in chunks."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that was too long to keep."""

    quotes: int
    """How many double quotes it had: what follows may be in the same cell, or not."""


class Lines:
    """Numbers lines from 1 on, with their ends. In memory is no more than one line and one chunk."""

    def __init__(self, *, longest: int) -> None:
        """`longest` is in bytes. A longer line is skipped as it comes."""
        self._longest = longest
        self._number = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._skipped_quotes: int | None = None

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | Skipped]]:
        """Yield the lines that end in this chunk."""
        # A line may come in many chunks: it is put together once, when it has ended.
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._add(part + b"\n")
            yield self._line()
        if rest:
            self._add(rest)

    def finish(self) -> Iterator[tuple[int, bytes | Skipped]]:
        """Yield the last line, if nothing ended it."""
        if self._size:
            yield self._line()

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        self._parts.append(part)
        if self._size > self._longest:
            quotes = sum(each.count(b'"') for each in self._parts)
            self._skipped_quotes = (self._skipped_quotes or 0) + quotes
            self._parts.clear()

    def _line(self) -> tuple[int, bytes | Skipped]:
        self._number += 1
        line = b"".join(self._parts) if self._skipped_quotes is None else Skipped(self._skipped_quotes)
        self._parts.clear()
        self._size, self._skipped_quotes = 0, None
        return self._number, line

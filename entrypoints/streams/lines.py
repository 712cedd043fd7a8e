"""Lines of what comes in chunks."""

from collections.abc import Iterator


class Lines:
    """Numbers lines from 1 on, with their ends. In memory is no more than one line and one chunk."""

    def __init__(self, *, longest: int) -> None:
        """`longest` is in bytes. A longer line is skipped as it comes."""
        self._longest = longest
        self._number = 0
        self._rest = b""
        self._skips = False

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | None]]:
        """Yield the lines that end in this chunk; None for one that was too long."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            yield self._line(line + b"\n")
        if len(self._rest) > self._longest:
            self._rest, self._skips = b"", True

    def finish(self) -> Iterator[tuple[int, bytes | None]]:
        """Yield the last line, if nothing ended it."""
        if self._rest or self._skips:
            yield self._line(self._rest)

    def _line(self, line: bytes) -> tuple[int, bytes | None]:
        self._number += 1
        is_too_long = self._skips or len(line) > self._longest
        self._skips = False
        return self._number, None if is_too_long else line

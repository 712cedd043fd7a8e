"""Rows of a file of which nothing was made, written down with the reasons: NDJSON, to mend them and to try again."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from application.items.bulk import ImportedBatch
from entrypoints.cli.files import STANDARD, failing_as
from entrypoints.cli.messages import print_message
from entrypoints.decoding import pointer_of
from entrypoints.streams.ndjson import ndjson_lines
from entrypoints.streams.rows import ReadRow


class _RowError(Struct):
    pointer: str
    detail: str


class _Refused(Struct):
    line: int
    errors: list[_RowError]
    row: str


class RefusedRows:
    """Holds rows until it is known what became of them. A file is made when the first is refused; `-` is stderr."""

    def __init__(self, path: str, *, is_ours: bool) -> None:
        """`is_ours` tells that nobody named the file, so that what is there is of an earlier import."""
        self._path = path
        self._is_ours = is_ours
        self._is_begun = False
        self._awaited: deque[tuple[int, bytes]] = deque()

    def begin(self) -> None:
        """Remove what an earlier import has left, if the file is ours: it may be so no more. Raises FileFails."""
        if self._is_ours and self._path != STANDARD:
            with failing_as("remove", self._path):
                Path(self._path).unlink(missing_ok=True)

    def expect(self, rows: Sequence[ReadRow[Any]]) -> None:
        """Take rows, in their order."""
        self._awaited += ((row.line, row.raw) for row in rows)

    def settle(self, batch: ImportedBatch) -> None:
        """Write down which of the first rows still held were refused, and forget all of those. Raises FileFails."""
        settled = dict(self._awaited.popleft() for _ in range(batch.rows))
        refused = [
            _Refused(
                row.line,
                [_RowError(pointer_of(error), error.detail) for error in row.errors],
                settled[row.line].decode(errors="backslashreplace").rstrip("\r\n"),
            )
            for row in batch.refused
        ]
        if refused:
            self._write(ndjson_lines(refused))

    def _write(self, lines: bytes) -> None:
        if self._path == STANDARD:
            print_message(lines.decode().rstrip("\n"))
            return
        with failing_as("write", self._path), Path(self._path).open("ab" if self._is_begun else "wb") as file:
            file.write(lines)
        self._is_begun = True

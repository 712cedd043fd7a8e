"""Newline-delimited JSON: a JSON object a line, in UTF-8."""

from collections.abc import Iterator, Sequence

import msgspec

from domain.errors import FieldError, Invalid
from entrypoints.decoding import invalid_of
from entrypoints.streams.lines import Lines, Skipped
from entrypoints.streams.rows import BYTE_ORDER_MARK, LINE_MAX, TOO_LONG, ReadRow, RowReader

MEDIA_TYPE = "application/x-ndjson"

_MALFORMED = FieldError("", "is not well-formed JSON in UTF-8")


class NdjsonReader[Body](RowReader[Body]):
    """Reads each line as one body. Empty lines are no rows."""

    def __init__(self, body: type[Body]) -> None:
        self._decode = msgspec.json.Decoder(body).decode
        self._lines = Lines(longest=LINE_MAX)

    def feed(self, chunk: bytes) -> Iterator[ReadRow[Body]]:
        return self._rows(self._lines.feed(chunk))

    def finish(self) -> Iterator[ReadRow[Body]]:
        return self._rows(self._lines.finish())

    def _rows(self, lines: Iterator[tuple[int, bytes | Skipped]]) -> Iterator[ReadRow[Body]]:
        for number, line in lines:
            if isinstance(line, Skipped):
                yield ReadRow(number, Invalid(TOO_LONG))
                continue
            text = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
            if text.strip():
                yield ReadRow(number, self._body(text), text)

    def _body(self, line: bytes) -> Body | Invalid:
        try:
            return self._decode(line)
        except msgspec.ValidationError as error:
            return invalid_of(error)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Invalid(_MALFORMED)


def ndjson_lines(rows: Sequence[object]) -> bytes:
    """Return the rows, a line each."""
    return msgspec.json.Encoder().encode_lines(rows)

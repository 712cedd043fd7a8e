"""CSV (RFC 4180) that is safe to open with a spreadsheet, and says the same when it is read again.

A spreadsheet takes a cell for a formula if it begins with one of certain characters. Such a cell, and one that has
nothing in it although it is not empty, gets an apostrophe before it, which is taken away when it is read (OWASP, CSV
Injection). Every other cell stays as it is: `'tis` keeps its apostrophe, whoever wrote the file.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from domain.errors import FieldError, Invalid
from entrypoints.decoding import invalid_of
from entrypoints.streams.lines import Lines
from entrypoints.streams.rows import BYTE_ORDER_MARK, LINE_MAX, TOO_LONG, ReadRow, RowReader

MEDIA_TYPE = "text/csv"

NAME_SHOWN = 50
"""Characters of a name that nobody knows, which may be the first row of a file without a header."""

_MARK = "'"
_FORMULAS = frozenset("=+-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20")
"""The last four are the first four in full width, which some programs take for the same."""

_ENDS_IN_A_CELL = "unexpected end of data"
_MALFORMED = FieldError("", "is not well-formed CSV")
_NOT_UTF8 = FieldError("", "is not UTF-8")

type Cells = Mapping[str, Callable[[str | None], object]]
"""The columns that are taken, by their names: each turns a cell, None if empty, into a value, or raises Invalid."""


def escaped(text: str) -> str:
    """Return the cell of a text, which is not empty."""
    return _MARK + text if _needs_mark(text) else text


def unescaped(cell: str) -> str | None:
    """Return the text of a cell; None if the cell is empty."""
    if not cell:
        return None
    return cell[1:] if cell.startswith(_MARK) and _needs_mark(cell[1:]) else cell


def _needs_mark(text: str) -> bool:
    # Whatever begins with marks is read as if one was added, so one has to be added to what looks like that already.
    bare = text.lstrip(_MARK)
    return not bare or bare[0] in _FORMULAS


class CsvReader[Body](RowReader[Body]):
    """Reads rows below a header. Lines with nothing on them are no rows, and columns may come in any order."""

    def __init__(self, body: type[Body], cells: Cells, *, ignored: Sequence[str] = ()) -> None:
        """`ignored` names columns that may be there and are not read."""
        self._body = body
        self._cells = cells
        self._known = {*cells, *ignored}
        self._header: list[str] | None = None
        self._lines = Lines(longest=LINE_MAX)
        self._open: list[tuple[int, str]] = []
        """Lines of a row that has not ended yet."""

    def feed(self, chunk: bytes) -> Iterator[ReadRow[Body]]:
        for number, line in self._lines.feed(chunk):
            if line is None:
                yield ReadRow(number, Invalid(TOO_LONG))
            else:
                self._open.append((number, self._text(number, line)))
        yield from self._rows(is_end=False)

    def finish(self) -> Iterator[ReadRow[Body]]:
        for number, line in self._lines.finish():
            if line is None:
                yield ReadRow(number, Invalid(TOO_LONG))
            else:
                self._open.append((number, self._text(number, line)))
        yield from self._rows(is_end=True)

    def _text(self, number: int, line: bytes) -> str:
        # What is not UTF-8 becomes lone surrogates, which no text may have.
        return (line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line).decode("utf-8", "surrogateescape")

    def _rows(self, *, is_end: bool) -> Iterator[ReadRow[Body]]:
        while self._open:
            reader = csv.reader((text for _, text in self._open), strict=True)
            read = 0
            try:
                for cells in reader:
                    first, read = read, reader.line_num
                    raw = "".join(text for _, text in self._open[first:read])
                    yield from self._row(self._open[first][0], cells, raw.encode("utf-8", "surrogateescape"))
            except csv.Error as error:
                goes_on = str(error) == _ENDS_IN_A_CELL and not is_end
                is_too_long = sum(len(text) for _, text in self._open[read:]) > LINE_MAX
                if goes_on and not is_too_long:
                    del self._open[:read]
                    return
                number, text = self._open[read]
                raw_line = text.encode("utf-8", "surrogateescape")
                yield ReadRow(number, Invalid(TOO_LONG if goes_on else _MALFORMED), raw_line)
                # What follows may be good again.
                del self._open[: read + 1]
            else:
                self._open.clear()

    def _row(self, number: int, cells: list[str], raw: bytes) -> Iterator[ReadRow[Body]]:
        if not cells:
            return
        if self._header is None:
            self._header = self._parse_header(cells, raw)
            return
        yield ReadRow(number, self._parse(cells, raw), raw)

    def _parse_header(self, cells: list[str], raw: bytes) -> list[str]:
        if not _is_utf8(raw):
            raise Invalid(FieldError("header", "is not UTF-8"))
        header = [cell.strip() for cell in cells]
        if unknown := [name for name in header if name not in self._known]:
            known = ", ".join(sorted(self._known))
            raise Invalid(
                FieldError("header", f"has {unknown[0][:NAME_SHOWN]!r}, which is none of the columns: {known}")
            )
        if len(set(header)) < len(header):
            raise Invalid(FieldError("header", "must name each column once"))
        return header

    def _parse(self, cells: list[str], raw: bytes) -> Body | Invalid:
        assert self._header is not None
        if not _is_utf8(raw):
            return Invalid(_NOT_UTF8)
        if len(cells) != len(self._header):
            return Invalid(FieldError("", f"has {len(cells)} cells, where the header has {len(self._header)}"))
        values = zip(self._header, cells, strict=True)
        try:
            fields = {name: self._cells[name](unescaped(cell)) for name, cell in values if name in self._cells}
            return msgspec.convert(fields, self._body)
        except Invalid as invalid:
            return invalid
        except msgspec.ValidationError as error:
            return invalid_of(error)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def csv_lines(rows: Sequence[Sequence[object]]) -> bytes:
    """Return the rows. A cell is empty for None, a text as it is, a list as JSON, anything else as it prints."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case list() | tuple():
            return msgspec.json.encode(value).decode()
        case _:
            return escaped(str(value))

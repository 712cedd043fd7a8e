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
from entrypoints.streams.lines import Lines, Skipped
from entrypoints.streams.rows import BYTE_ORDER_MARK, LINE_MAX, TOO_LONG, ReadRow, RowReader

MEDIA_TYPE = "text/csv"

NAME_SHOWN = 50
"""Characters of a name that nobody knows, which may be the first row of a file without a header."""

_MARK = "'"
_QUOTE = '"'
_FORMULAS = frozenset("=+-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20")
"""The last four are the first four in full width, which some programs take for the same."""

_ENDS_IN_A_CELL = "unexpected end of data"
_MALFORMED = FieldError("", "is not well-formed CSV")
_NOT_UTF8 = FieldError("", "is not UTF-8")

# By default a cell may have half as many characters, and the lines of a longer one would be taken for rows.
csv.field_size_limit(LINE_MAX)

_AGAIN_AT_MOST = 1 << 16
"""Characters after which an open row is looked at again, though there were more of it before."""

_CREDIT_MAX = 4 * LINE_MAX
_CREDIT_FOR_EACH = 16
"""Each line of a bad file may open a cell that never ends. So what is read in vain is paid for by what was read."""

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
        self._open: list[str] = []
        """Lines of a row that has not ended yet."""
        self._first = 1
        """The number of the first of them."""
        self._skipped: set[int] = set()
        """The numbers of those that were too long: another text is in their place."""
        self._open_size = 0
        self._enough = 0
        """Characters that have to be open before the row is looked at again."""
        self._credit = _CREDIT_MAX
        """Characters that may yet be read in vain."""
        self._given_up: int | None = None
        """The number of the line where a row begins that was too long, and has not ended yet as far as is known."""

    def feed(self, chunk: bytes) -> Iterator[ReadRow[Body]]:
        return self._rows(self._lines.feed(chunk), is_end=False)

    def finish(self) -> Iterator[ReadRow[Body]]:
        return self._rows(self._lines.finish(), is_end=True)

    def _rows(self, lines: Iterator[tuple[int, bytes | Skipped]], *, is_end: bool) -> Iterator[ReadRow[Body]]:
        for number, line in lines:
            text = self._text(number, line)
            self._open.append(text)
            self._open_size += len(text)
        if self._open_size < self._enough and not is_end:
            return
        self._enough = 0
        at = 0
        while at < len(self._open):
            if self._given_up is not None and (doubtful := self._doubtful(at, self._given_up)):
                yield doubtful
                self._open_size -= len(self._open[at])
                at += 1
                continue
            longest = min(LINE_MAX, self._credit)
            reader = csv.reader(_from(self._open, at, longest), strict=True)
            try:
                cells = next(reader)
            except csv.Error as error:
                size = sum(map(len, self._open[at : at + reader.line_num]))
                goes_on = str(error) == _ENDS_IN_A_CELL
                is_long = goes_on and at + reader.line_num < len(self._open)
                if goes_on and not is_long and not is_end:
                    self._enough = size + min(size, _AGAIN_AT_MOST)
                    break
                self._credit = max(0, self._credit - size)
                text, end = self._open[at], at + 1  # What follows may be good again.
                if is_long:
                    self._given_up = self._first + at
                yield self._refused(at, TOO_LONG if is_long and longest == LINE_MAX else _MALFORMED)
            else:
                end = at + reader.line_num
                text = "".join(self._open[at:end])
                yield from self._row(at, end, cells, text)
            self._credit = min(_CREDIT_MAX, self._credit + _CREDIT_FOR_EACH * len(text))
            self._open_size -= len(text)
            at = end
        del self._open[:at]
        self._first += at

    def _doubtful(self, at: int, beginning: int) -> ReadRow[Body] | None:
        """Return the refusal of a line, if it may be in the last cell of the row that was given up.

        There the cell goes on, or ends with its row, or there would be a character after its quote. That can't be: then
        nothing ever closed the quote of the row, which was bad, and this line is as good as any.
        """
        try:
            next(csv.reader([_QUOTE + self._open[at]], strict=True))
        except csv.Error as error:
            is_within = str(error) == _ENDS_IN_A_CELL
            if not is_within:
                self._given_up = None
                return None
        else:
            self._given_up = None
        return self._refused(at, FieldError("", f"may belong to the row that begins in line {beginning}"))

    def _text(self, number: int, line: bytes | Skipped) -> str:
        if isinstance(line, Skipped):
            self._skipped.add(number)
            # The row goes on, or ends, as it would with the line itself.
            return _QUOTE * (line.quotes % 2) + "\n"
        # What is not UTF-8 becomes lone surrogates, which no text may have.
        return (line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line).decode("utf-8", "surrogateescape")

    def _refused(self, at: int, error: FieldError) -> ReadRow[Body]:
        """Return the row that a line would begin, if it was no bad one."""
        number = self._first + at
        if number in self._skipped:
            self._skipped.remove(number)
            return ReadRow(number, Invalid(TOO_LONG))
        return ReadRow(number, Invalid(error), _bytes_of(self._open[at]))

    def _row(self, at: int, end: int, cells: list[str], text: str) -> Iterator[ReadRow[Body]]:
        number = self._first + at
        if self._skipped and (skipped := self._skipped.intersection(range(number, self._first + end))):
            self._skipped -= skipped
            yield ReadRow(number, Invalid(TOO_LONG))
        elif not cells:
            return
        elif self._header is None:
            self._header = self._parse_header(cells, _bytes_of(text))
        else:
            raw = _bytes_of(text)
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


def _from(lines: Sequence[str], at: int, longest: int) -> Iterator[str]:
    """Yield the lines from this one on: it, and as many more as are no longer together than `longest` characters."""
    size = 0
    for each in range(at, len(lines)):
        size += len(lines[each])
        if size > longest and each > at:
            return
        yield lines[each]


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


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

"""CSV that a spreadsheet takes for nothing but text, and that says the same when it is read again."""

import csv
import io
from collections.abc import Iterable, Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import FieldError, Invalid
from entrypoints.streams import csv_rows
from entrypoints.streams.csv_rows import CsvReader, csv_lines, escaped, unescaped
from entrypoints.streams.rows import LINE_MAX, TOO_LONG, ReadRow

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\x00x", "＝1", "'=1", "''=1", "'", "''", ""]


class Note(msgspec.Struct):
    """What the rows are read as here."""

    text: str | None
    more: str | None = None


@pytest.fixture
def line_max(monkeypatch: pytest.MonkeyPatch) -> int:
    """Provide how long a line may be: a sixteenth of what it may be elsewhere, so that many take less time."""
    longest = LINE_MAX // 16
    monkeypatch.setattr(csv_rows, "LINE_MAX", longest)
    monkeypatch.setattr(csv_rows, "_CREDIT_MAX", 4 * longest)
    return longest


def a_reader() -> CsvReader[Note]:
    return CsvReader(Note, {"text": lambda text: text, "more": lambda text: text}, ignored=["id"])


def read(content: bytes, *, at_once: int = 1 << 20) -> list[ReadRow[Note]]:
    """Return the rows of a file that comes in pieces of so many bytes."""
    reader = a_reader()

    def rows() -> Iterator[ReadRow[Note]]:
        for at in range(0, len(content), at_once):
            yield from reader.feed(content[at : at + at_once])
        yield from reader.finish()

    return list(rows())


def texts(content: bytes) -> list[str | None]:
    found = []
    for row in read(content):
        assert isinstance(row.body, Note), row
        found.append(row.body.text)
    return found


def reasons(rows: list[ReadRow[Note]]) -> list[tuple[int, str, str]]:
    return [
        (row.line, error.field, error.detail)
        for row in rows
        if isinstance(row.body, Invalid)
        for error in row.body.errors
    ]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    cell = escaped(text)

    assert cell[0] == "'"
    assert unescaped(cell) == text


@pytest.mark.parametrize("text", ["Milk", "'tis", "a=b", " =1", '"', "a'", "[1]", "１"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert escaped(text) == text
    assert unescaped(text) == text


def test_an_empty_cell_is_nothing() -> None:
    assert unescaped("") is None


@given(st.text() | st.text("'=+-@\t\r\na", max_size=5))
def test_every_text_comes_back(text: str) -> None:
    cell = escaped(text)

    assert unescaped(cell) == text
    assert cell[0] not in "=+-@\t\r\n\x00"


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\"'=,;\r\n\t@"), max_size=8)


@given(
    rows=st.lists(st.tuples(st.none() | ANY_TEXT, st.none() | ANY_TEXT), max_size=6),
    at_once=st.integers(1, 20),
)
def test_what_was_written_is_read_again_however_it_comes(
    rows: list[tuple[str | None, str | None]], at_once: int
) -> None:
    content = csv_lines([("text", "more"), *rows])

    found = [row.body for row in read(content, at_once=at_once)]

    assert found == [Note(text, more) for text, more in rows]


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), min_size=1, max_size=6))
def test_what_was_written_is_what_other_programs_read(rows: list[tuple[str, str]]) -> None:
    """RFC 4180: lines end in CRLF, and a cell has quotes where it needs them."""
    content = csv_lines(rows)

    found = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))

    assert content.endswith(b"\r\n")
    assert found == [[escaped(cell) for cell in row] for row in rows]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"text\nA\nB\n", id="line feeds"),
        pytest.param(b"text\r\nA\r\nB", id="no end of the last line"),
        pytest.param(b"\xef\xbb\xbftext\r\nA\r\nB\r\n", id="byte order mark"),
        pytest.param(b"id,text\n1,A\n2,B\n", id="a column that is ignored"),
        pytest.param(b" text , more \nA,\nB,\n", id="spaces around the names"),
        pytest.param(b'\n\n"text"\n\n"A"\n\r\nB\n\n', id="empty lines"),
    ],
)
def test_reads_what_programs_write(content: bytes) -> None:
    assert texts(content) == ["A", "B"]


def test_each_bad_row_has_an_error_of_its_own() -> None:
    """Whoever raises one that others keep adds to its traceback, for ever."""
    rows = read(b"text\n" + 2 * (b'"A"B\n\xff\n' + b"x" * (LINE_MAX + 1) + b"\n"))

    assert len({id(row.body) for row in rows}) == len(rows) == 6


def test_reads_nothing_in_nothing() -> None:
    assert read(b"") == read(b"\n\n") == read(b"text\n") == []


def test_says_in_which_line_a_row_begins() -> None:
    rows = read(b'text,more\nA,1\n"B\n1\n2",\n\nC,\n')

    assert [row.line for row in rows] == [2, 3, 7]
    assert rows[1].raw == b'"B\n1\n2",\n'


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (b"A", "", "has 1 cells, where the header has 2"),
        (b"A,B,C", "", "has 3 cells, where the header has 2"),
        (b'A",B', "", ""),
        (b'"A"B,C', "", "is not well-formed CSV"),
        (b"\xff,B", "", "is not UTF-8"),
        (b"\xed\xa0\x80,B", "", "is not UTF-8"),
        (b"x" * (LINE_MAX + 1) + b",B", "", f"is longer than {LINE_MAX} bytes"),
    ],
)
def test_refuses_a_bad_row_and_reads_on(line: bytes, field: str, reason: str) -> None:
    rows = read(b"text,more\nA,\n" + line + b"\nC,\n")

    if reason:
        assert reasons(rows) == [(3, field, reason)]
    good = [row.body.text for row in rows if isinstance(row.body, Note)]
    assert (good[0], good[-1]) == ("A", "C")


def test_a_quote_that_is_never_closed_costs_one_line() -> None:
    rows = read(b'text,more\n"A,\nB,\nC,\n')

    assert reasons(rows) == [(2, "", "is not well-formed CSV")]
    assert [row.body.text for row in rows if isinstance(row.body, Note)] == ["B", "C"]


@pytest.mark.parametrize("at_once", [4096, 1 << 20])
@pytest.mark.parametrize(
    ("last", "after"),
    [
        pytest.param(b'the end",', [], id="the last of them"),
        pytest.param(b'the end","and', [b"more", b'more"'], id="before another cell of several lines"),
    ],
)
def test_no_line_of_a_row_that_is_too_long_is_a_row(
    line_max: int, at_once: int, last: bytes, after: list[bytes]
) -> None:
    lines = [b'"It begins'] + [b"forged,", b'they say ""forged,""', b""] * (line_max // 8) + [last, *after]

    rows = read(b"text,more\n" + b"\n".join(lines) + b"\ngood,\n", at_once=at_once)

    assert reasons(rows) == [
        (2, "", TOO_LONG.detail),
        *((line, "", "may belong to the row that begins in line 2") for line in range(3, len(lines) + 2)),
    ]
    assert [row.raw.rstrip(b"\n") for row in rows[:-1]] == lines
    assert rows[-1].body == Note("good")


@pytest.mark.parametrize("at_once", [4096, 1 << 20])
def test_a_quote_that_is_never_closed_is_known_by_the_next_one(line_max: int, at_once: int) -> None:
    many = line_max // 50
    good = [b'"B",', b"C,", b'"D\nE",', b'"F, ""G""",']

    rows = read(b'text,more\n"A,\n' + b"in doubt,\n" * many * 6 + b"\n".join(good), at_once=at_once)

    assert len(reasons(rows)) == 1 + many * 6
    assert [row.body.text for row in rows if isinstance(row.body, Note)][:3] == ["B", "C", "D\nE"]


def test_a_cell_may_be_nearly_as_long_as_a_row() -> None:
    cell = "harmless prose\n" * (LINE_MAX // 16)

    assert texts(f'text\n"{cell}"\nafter\n'.encode()) == [cell, "after"]


def test_a_row_that_never_ends_is_given_up() -> None:
    cell = b'"' + b"x" * 100_000 + b'\n",'

    rows = read(b"text,more\n" + cell * 3 + b'"', at_once=4096)

    assert reasons(rows)[0] == (2, "", f"is longer than {LINE_MAX} bytes")


# --- lines that are too long

LONG = b"x" * (LINE_MAX + 1)


@pytest.mark.parametrize(
    ("row", "ends_in"),
    [
        pytest.param(LONG + b",\n", 3, id="no cell that goes on"),
        pytest.param(b'"begun\n' + LONG + b'\nended",1\n', 5, id="in the middle of a cell"),
        pytest.param(b'"' + LONG + b'\nended",1\n', 4, id="beginning a cell"),
        pytest.param(b'"begun\n' + LONG + b'",1\n', 4, id="ending a cell"),
        pytest.param(b'"a ""quoted"" word\n' + LONG + b'"" in ""\nended",1\n', 5, id="with quotes in the cell"),
        pytest.param(b'"begun\n' + LONG + b"\n" + LONG + b'\nended",1\n', 6, id="two of them"),
    ],
)
@pytest.mark.parametrize("at_once", [4096, 1 << 20])
def test_refuses_the_whole_row_that_a_line_is_too_long_of(row: bytes, ends_in: int, at_once: int) -> None:
    rows = read(b"text,more\nA,\n" + row + b"C,\nD,\n", at_once=at_once)

    assert reasons(rows) == [(3, "", f"is longer than {LINE_MAX} bytes")]
    assert [(row.line, row.body.text) for row in rows if isinstance(row.body, Note)] == [
        (2, "A"),
        (ends_in + 1, "C"),
        (ends_in + 2, "D"),
    ]


def test_gives_rows_in_the_order_of_their_lines_whatever_they_are() -> None:
    rows = read(b"text,more\nA,\n" + LONG + b'\n"B"x,\n' + LONG + b"\nC,\n")

    assert [row.line for row in rows] == [2, 3, 4, 5, 6]


# --- how much is read again


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Provide how many characters the parser was given, time and again."""
    sizes: list[int] = []
    make_reader = csv.reader

    def reader(lines: Iterable[str], *, strict: bool) -> object:
        def counted() -> Iterator[str]:
            for line in lines:
                sizes.append(len(line))
                yield line

        return make_reader(counted(), strict=strict)

    monkeypatch.setattr(csv, "reader", reader)
    return sizes


def test_a_cell_that_comes_in_small_pieces_is_not_read_again_for_each(parsed: list[int]) -> None:
    content = b'text\n"' + b"x\n" * 50_000 + b'"\n'

    (row,) = read(content, at_once=2)

    assert isinstance(row.body, Note)
    assert sum(parsed) < 4 * len(content)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'a","\n', id="each opens a cell that the next does not close"),
        pytest.param(b'a","\n' * 99 + b"x\n", id="some do"),
    ],
)
def test_bad_lines_do_not_make_it_read_the_others_time_and_again(parsed: list[int], line_max: int, line: bytes) -> None:
    content = b"text\n" + line * (2 * line_max // len(line))

    rows = read(content, at_once=4096)

    assert len(rows) == content.count(b"\n") - 1
    assert sum(parsed) < 20 * len(content)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"text,nonsense,more", "has 'nonsense', which is none of the columns: id, more, text"),
        (b"Milk," + b"x" * 1000, "has 'Milk', which is none of the columns: id, more, text"),
        (b"text," + b"x" * 1000, f"has '{'x' * 50}', which is none of the columns: id, more, text"),
        (b"text,text", "must name each column once"),
        (b"text" + b",id" * 50_000, "must name each column once"),
        (b"text,\xff", "is not UTF-8"),
    ],
)
def test_refuses_a_file_whose_header_it_does_not_understand(header: bytes, reason: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(header + b"\nA,B,C\n")

    assert raised.value.errors == (FieldError("header", reason),)


def test_a_row_that_lacks_a_column_says_so() -> None:
    rows = read(b"more\nA\n")

    assert reasons(rows) == [(2, "text", "is required")]

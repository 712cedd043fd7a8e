"""NDJSON, a row a line."""

import time
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from entrypoints.streams.ndjson import NdjsonReader, ndjson_lines
from entrypoints.streams.rows import LINE_MAX, ReadRow


class Note(msgspec.Struct, forbid_unknown_fields=True):
    """What the lines are read as here."""

    text: str


def read(content: bytes, *, at_once: int = 1 << 20) -> list[ReadRow[Note]]:
    """Return the rows of a file that comes in pieces of so many bytes."""
    reader = NdjsonReader(Note)

    def rows() -> Iterator[ReadRow[Note]]:
        for at in range(0, len(content), at_once):
            yield from reader.feed(content[at : at + at_once])
        yield from reader.finish()

    return list(rows())


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]))), at_once=st.integers(1, 20))
def test_what_was_written_is_read_again_however_it_comes(texts: list[str], at_once: int) -> None:
    rows = [Note(text) for text in texts]

    found = read(ndjson_lines(rows), at_once=at_once)

    assert [row.body for row in found] == rows
    assert [row.line for row in found] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(
    "content",
    [
        b'{"text":"A"}\n{"text":"B"}\n',
        b'{"text":"A"}\r\n{"text":"B"}',
        b'\xef\xbb\xbf{"text":"A"}\n\n  \n\r\n{"text":"B"}\n\n',
        b' { "text" : "A" } \n{"text":"\\u0042"}\n',
    ],
)
def test_reads_what_programs_write(content: bytes) -> None:
    assert [row.body for row in read(content)] == [Note("A"), Note("B")]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (b"{", "", "is not well-formed JSON in UTF-8"),
        (b'{"text":"A"}{"text":"B"}', "", "is not well-formed JSON in UTF-8"),
        (b'{"text":"\xff"}', "", "is not well-formed JSON in UTF-8"),
        (b'{"text":"\\ud800"}', "", "is not well-formed JSON in UTF-8"),
        (b"[" * 100_000, "", "must be an object, not a list"),
        (b'{"text":' + b"[" * 100_000, "text", "must be a text, not a list"),
        (b"null", "", "must be an object, not null"),
        (b"{}", "text", "is required"),
        (b'{"text":1}', "text", "must be a text, not a number"),
        (b'{"text":"A","more":1}', "more", "is not a known field"),
        (b'{"text":"' + b"x" * LINE_MAX + b'"}', "", f"is longer than {LINE_MAX} bytes"),
    ],
)
@pytest.mark.parametrize("at_once", [1000, 1 << 20])
def test_refuses_a_bad_line_and_reads_on(line: bytes, field: str, reason: str, at_once: int) -> None:
    rows = read(b'{"text":"A"}\n' + line + b'\n{"text":"C"}', at_once=at_once)

    good = [row.body for row in rows if isinstance(row.body, Note)]
    (bad,) = [(row.line, error) for row in rows if isinstance(row.body, Invalid) for error in row.body.errors]
    assert good == [Note("A"), Note("C")]
    assert (bad[0], bad[1].field, bad[1].detail) == (2, field, reason)


def test_a_line_without_an_end_is_not_kept() -> None:
    reader = NdjsonReader(Note)

    started = time.process_time()
    for _ in range(1000):
        assert list(reader.feed(b"x" * 65_536)) == []
    rows = [*reader.feed(b'\n{"text":"A"}\n'), *reader.finish()]

    assert time.process_time() - started < 2
    assert [row.line for row in rows] == [1, 2]
    assert rows[1].body == Note("A")


def read_byte_by_byte(content: bytes) -> tuple[list[ReadRow[Note]], float]:
    """Return the rows, and how long it took: CPU in seconds."""
    reader = NdjsonReader(Note)
    started = time.process_time()
    rows = [row for at in range(len(content)) for row in reader.feed(content[at : at + 1])]
    return rows, time.process_time() - started


def test_a_line_that_comes_byte_by_byte_is_put_together_once() -> None:
    lines = b'{"text":"A"}\n' * 15_000
    line = b'{"text":"' + b"x" * (len(lines) - 12) + b'"}\n'

    (rows, first), (_, of_many), (_, second) = map(read_byte_by_byte, (line, lines, line))

    assert [len(row.body.text) for row in rows if isinstance(row.body, Note)] == [len(lines) - 12]
    assert min(first, second) < 1.5 * of_many


def test_each_bad_line_has_an_error_of_its_own() -> None:
    """Whoever raises one that others keep adds to its traceback, for ever."""
    rows = read(b"{\n{\n" + 2 * (b"x" * (LINE_MAX + 1) + b"\n"))

    assert len({id(row.body) for row in rows}) == len(rows) == 4


def test_reads_nothing_in_nothing() -> None:
    assert read(b"") == read(b"\n \n") == []

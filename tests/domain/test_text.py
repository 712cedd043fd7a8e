"""Titles, names, descriptions and tags: what they share, and their limits."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.items.item import parse_description, parse_tags, parse_title
from domain.users.user import parse_full_name

ONE_LINERS = pytest.mark.parametrize(
    ("parse", "field", "longest"),
    [
        pytest.param(parse_title, "title", 200, id="title"),
        pytest.param(parse_full_name, "full_name", 200, id="full name"),
        pytest.param(lambda text: parse_tags([text])[0], "tags/0", 50, id="tag"),
    ],
)
CONTROL = ["\0", "\x07", "\x1b", "\x7f", "\x85", "\x9b", "\ud800", "\udfff"]


def field_of(refusal: pytest.ExceptionInfo[Invalid]) -> str:
    [error] = refusal.value.errors
    return error.field


@ONE_LINERS
def test_takes_a_line_of_1_to_so_many_characters(parse: Callable[[str], str], field: str, longest: int) -> None:
    for text in ("x", "x" * longest, "\N{GRINNING FACE}" * longest, " x ", "é", "👩‍💻", "<script>", "مرحبا"):
        assert parse(text) == text

    for text in ("", "x" * (longest + 1)):
        with pytest.raises(Invalid) as refused:
            parse(text)
        assert field_of(refused) == field


@ONE_LINERS
@pytest.mark.parametrize("blank", [" ", "\t", "   ", "\u00a0", "\u3000", "\u2028"])
def test_refuses_a_blank_line(parse: Callable[[str], str], field: str, longest: int, blank: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(blank * min(3, longest))

    assert field_of(refused) == field


@ONE_LINERS
@pytest.mark.parametrize("character", [*CONTROL, "\n", "\r", "\t"], ids=ascii)
def test_refuses_control_characters_in_a_line(
    parse: Callable[[str], str], field: str, longest: int, character: str
) -> None:
    for text in (f"a{character}b"[:longest], f"{character}a", f"a{character}"):
        with pytest.raises(Invalid) as refused:
            parse(text)
        assert field_of(refused) == field


def test_takes_a_description_of_at_most_so_many_characters() -> None:
    for text in ("", " ", "x" * 10_000, "\N{GRINNING FACE}" * 10_000, "two\nlines\r\nand\ta tab"):
        assert parse_description(text) == text

    with pytest.raises(Invalid) as refused:
        parse_description("x" * 10_001)
    assert field_of(refused) == "description"


@pytest.mark.parametrize("character", CONTROL, ids=ascii)
def test_refuses_control_characters_in_a_description(character: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_description(f"a{character}b")

    assert field_of(refused) == "description"


def test_keeps_tags_in_their_order_each_once() -> None:
    assert parse_tags(["b", "a", "b", "A", "a"]) == ("b", "a", "A")
    assert parse_tags([]) == ()


def test_takes_at_most_20_tags() -> None:
    twenty = [f"tag {number}" for number in range(20)]

    assert parse_tags(twenty + twenty) == tuple(twenty)
    with pytest.raises(Invalid) as refused:
        parse_tags([*twenty, "one more"])
    assert field_of(refused) == "tags"


def test_says_which_of_the_given_tags_is_wrong() -> None:
    with pytest.raises(Invalid) as refused:
        parse_tags(["a", "a", ""])

    assert field_of(refused) == "tags/2"


@given(st.text())
def test_a_title_is_taken_as_it_is_or_not_at_all(text: str) -> None:
    try:
        title = parse_title(text)
    except Invalid:
        return

    assert title == text
    assert title.strip()
    assert title.encode().decode() == title
    assert not set(title) & set("\0\n\r\x1b")

"""What a password must be."""

import contextlib
import unicodedata
from collections.abc import Container, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.auth.password import PASSWORD_MAX, normalize_password, parse_password
from domain.errors import Invalid


def of_length(length: int) -> str:
    """Return a password that nothing but its length can be held against."""
    return "".join(chr(0x1F300 + 7 * number % 97) for number in range(97 + 31))[:length]


def refusal(text: str, *, shortest: int = 8, common: Container[str] = frozenset(), about: Iterable[str] = ()) -> str:
    with pytest.raises(Invalid) as refused:
        parse_password(text, shortest=shortest, common=common, about=about)
    return str(refused.value)


def test_has_at_least_so_many_characters() -> None:
    assert parse_password(of_length(15), shortest=15) == of_length(15)

    with pytest.raises(Invalid) as refused:
        parse_password(of_length(14), shortest=15)
    assert "at least 15 characters" in str(refused.value)


def test_has_at_most_128_characters() -> None:
    assert len(parse_password(of_length(64), shortest=8)) == 64
    assert len(parse_password(of_length(PASSWORD_MAX), shortest=8)) == 128

    assert "at most 128 characters" in refusal("a" + of_length(PASSWORD_MAX))


def test_counts_characters_as_they_are_composed() -> None:
    decomposed = unicodedata.normalize("NFD", "éàüñôçÅîšž")
    assert len(decomposed) == 20

    with pytest.raises(Invalid):
        parse_password(decomposed, shortest=11)
    assert len(parse_password(decomposed, shortest=10)) == 10


@pytest.mark.parametrize("text", [" spaces count too ", "<>&\"'`$(x)%s{}", "пароль из слов", "correct horse \t"[:-1]])
def test_is_never_trimmed_or_cut(text: str) -> None:
    assert parse_password(text, shortest=8) == text


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\x1b", "\x7f", "\x85", "\ud800"], ids=ascii)
def test_has_no_control_characters(character: str) -> None:
    with pytest.raises(Invalid):
        parse_password(f"long enough{character} and more", shortest=8)


def test_a_refusal_names_the_field_and_does_not_repeat_the_password() -> None:
    with pytest.raises(Invalid) as refused:
        parse_password("hunter2", shortest=15, field="new_password")

    assert [error.field for error in refused.value.errors] == ["new_password"]
    assert "hunter2" not in str(refused.value)


COMMON = frozenset({"password", "monkey", "trustno1", "letmein"})


@pytest.mark.parametrize(
    "text",
    [
        "trustno1",
        "TrustNo1",
        "passwordpassword",
        "monkeymonkeymonkey",
        "password1234567",
        "2026!!Password!!2026",
        "MonkeyMonkey-1999",
    ],
)
def test_is_not_what_many_people_have_be_it_doubled_or_decorated(text: str) -> None:
    assert "first that are guessed" in refusal(text, common=COMMON)


@pytest.mark.parametrize(
    "text",
    [
        "aaaaaaaaaaaaaaa",
        "abababababababa",
        "hunter-hunter-hunter-",
        "123456789012345",
        "987654321098765",
        "abcdefghijklmnop",
        "zyxwvutsrqponmlk",
        "qwertyuiopasdfgh",
        "QWERTYuiop12345",
        "1qaz2wsx3edc4rfv",
        "!QAZ2wsx3edc4rfv",
        "asdfghjkl;'zxcvb",
        "aaaabbbbccccdddd",
    ],
)
def test_neither_repeats_itself_nor_follows_the_keyboard(text: str) -> None:
    assert "repeat itself or follow the keyboard" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "portico2026!!!!!",
        "Portico-Portico2026",
        "ann.example.2026",
        "ANN-SMITH-1990!!",
        "smithexample1990",
        "smith@mailhouse.example",
    ],
)
def test_is_more_than_what_everybody_knows_of_the_account(text: str) -> None:
    about = ("portico", "ann.smith", "mailhouse.example", "Ann Smith")

    assert "must be more than your name" in refusal(text, about=about)


@pytest.mark.parametrize(
    "text",
    [
        "correct horse battery staple",
        "portico is what I call this thing",
        "smith makes good iron tools",
        "ann an ann an bob",
        "Tr0ub4dor&3xyz",
        "kdqwz7hm",
        "1234 is my favourite number",
        "12345678 x 87654321 = ?",
        "пароль из четырёх слов",
        "多くの人が知らない言葉",
    ],
)
def test_may_be_anything_else(text: str) -> None:
    about = ("portico", "ann.smith", "mailhouse.example", "Ann Smith")

    assert parse_password(text, shortest=8, common=COMMON, about=about)


@given(st.text(min_size=8, max_size=130))
def test_is_judged_quickly_whatever_it_is(text: str) -> None:
    with contextlib.suppress(Invalid):
        parse_password(text, shortest=8, common=COMMON, about=("portico", text))


@given(st.text(), st.sampled_from(["NFC", "NFD"]))
def test_is_the_same_however_the_keyboard_composes(text: str, form: str) -> None:
    typed = unicodedata.normalize(form, text)  # type: ignore[arg-type]

    assert normalize_password(typed) == normalize_password(text)
    assert normalize_password(normalize_password(text)) == normalize_password(text)

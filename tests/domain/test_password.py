"""What a password must be."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.auth.password import PASSWORD_MAX, normalize_password, parse_password
from domain.errors import Invalid


def test_has_at_least_so_many_characters() -> None:
    assert parse_password("x" * 15, shortest=15) == "x" * 15

    with pytest.raises(Invalid) as refused:
        parse_password("x" * 14, shortest=15)
    assert "at least 15 characters" in str(refused.value)


def test_has_at_most_128_characters() -> None:
    for character in "x\N{GRINNING FACE}":
        assert len(parse_password(character * PASSWORD_MAX, shortest=8)) == 128

    with pytest.raises(Invalid):
        parse_password("x" * (PASSWORD_MAX + 1), shortest=8)


def test_counts_characters_as_they_are_composed() -> None:
    decomposed = unicodedata.normalize("NFD", "é" * 10)
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


@given(st.text(), st.sampled_from(["NFC", "NFD"]))
def test_is_the_same_however_the_keyboard_composes(text: str, form: str) -> None:
    typed = unicodedata.normalize(form, text)  # type: ignore[arg-type]

    assert normalize_password(typed) == normalize_password(text)
    assert normalize_password(normalize_password(text)) == normalize_password(text)

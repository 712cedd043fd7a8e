"""Rules that every text from outside obeys, and how texts are compared where case does not matter."""

import unicodedata

from domain.errors import FieldError, Invalid

_LINE_CHARACTERS = frozenset("\t\n\r")


def parse_line(text: str, *, field: str, longest: int) -> str:
    """One line of 1 to `longest` code points, not blank, without control characters; raises Invalid."""
    if not 1 <= len(text) <= longest or not text.strip():
        raise Invalid(FieldError(field, f"must have 1 to {longest} characters and not be blank"))
    _refuse_unprintable(text, field=field, allowed=frozenset())
    return text


def parse_prose(text: str, *, field: str, longest: int) -> str:
    """Lines of at most `longest` code points, without control characters but tab and line ends; raises Invalid."""
    if len(text) > longest:
        raise Invalid(FieldError(field, f"must have at most {longest} characters"))
    _refuse_unprintable(text, field=field, allowed=_LINE_CHARACTERS)
    return text


def fold(text: str) -> str:
    """Return what texts have in common that differ in case or in how accents are composed (Unicode 3.13, D145)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _refuse_unprintable(text: str, *, field: str, allowed: frozenset[str]) -> None:
    """NUL breaks PostgreSQL, lone surrogates have no UTF-8, escape sequences attack terminals and logs."""
    if text.isprintable():
        return
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in allowed:
            raise Invalid(FieldError(field, "must not contain control characters"))

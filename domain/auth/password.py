"""What a password must be (NIST SP 800-63B-4 section 3.1.1, ASVS 5.0 6.2): long, and not what is guessed first.

Nothing is asked of its composition, and it never has to change.
"""

import re
import string
import unicodedata
from collections.abc import Container, Iterable, Iterator
from itertools import pairwise
from typing import NewType

from domain.errors import FieldError, Invalid

Password = NewType("Password", str)

PASSWORD_FLOOR = 8
PASSWORD_MAX = 128
"""Code points; also at most 512 bytes of UTF-8, which 128 code points never exceed."""

CONTEXT_WORD_MIN = 4
"""Shorter words of an account's name or address are part of too many other words."""

_KEY_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_UNSHIFTED = str.maketrans("!@#$%^&*()", "1234567890")
_SURPRISES = 4
"""One character in as many must not follow from the one before it."""

_DECORATION = string.digits + string.punctuation + string.whitespace


def parse_password(
    text: str,
    *,
    shortest: int,
    field: str = "password",
    common: Container[str] = frozenset(),
    about: Iterable[str] = (),
) -> Password:
    """Return a new password in NFC, refusing what is too short, too long or guessed first; never cut, never trimmed.

    `common` holds passwords in lower case that many people have; `about` is what is known of the account and of the
    product. Raises Invalid.
    """
    password = normalize_password(text)
    if len(password) < shortest:
        raise Invalid(FieldError(field, f"must have at least {shortest} characters; several words make a good one"))
    if len(password) > PASSWORD_MAX:
        raise Invalid(FieldError(field, f"must have at most {PASSWORD_MAX} characters"))
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        raise Invalid(FieldError(field, "must not contain control characters"))
    folded = password.casefold()
    if any(_is_common(text, common) for text in _undecorated(folded)):
        raise Invalid(FieldError(field, "is among the first that are guessed; several words make a good one"))
    if _repeats(folded) or _follows_a_path(folded):
        raise Invalid(FieldError(field, "must not repeat itself or follow the keyboard; several words make a good one"))
    rest = _without(_words_of(about), folded)
    if rest != folded and len(rest.strip(_DECORATION)) < PASSWORD_FLOOR:
        raise Invalid(FieldError(field, "must be more than your name, your address or the name of this service"))
    return password


def normalize_password(text: str) -> Password:
    """Return the password as it is hashed: NFC, so that keyboards that compose differently agree."""
    return Password(unicodedata.normalize("NFC", text))


def _undecorated(text: str) -> Iterator[str]:
    """Yield the text with fewer and fewer of the digits and signs behind it, and also without those before it."""
    shortest = len(text.rstrip(_DECORATION))
    for start in {0, len(text) - len(text.lstrip(_DECORATION))}:
        yield from (text[start:end] for end in range(max(start, shortest), len(text) + 1))


def _is_common(text: str, common: Container[str]) -> bool:
    unit = text[: _period(text)]
    return text in common or (unit != text and unit in common)


def _repeats(text: str) -> bool:
    return _period(text) * 2 <= len(text)


def _period(text: str) -> int:
    """Return after how many characters the text starts over, be it cut off at the end; its length if it never does."""
    borders = [0] * len(text)
    for end in range(1, len(text)):
        border = borders[end - 1]
        while border and text[end] != text[border]:
            border = borders[border - 1]
        borders[end] = border + (text[end] == text[border])
    return len(text) - (borders[-1] if borders else 0)


def _follows_a_path(text: str) -> bool:
    """Tell whether most characters follow from the one before: the same, the next letter or digit, the next key."""
    keys = pairwise(text.translate(_UNSHIFTED))
    surprises = 1 + sum(after not in _EXPECTED.get(before, before) for before, after in keys)
    return surprises * _SURPRISES <= len(text)


def _expected() -> dict[str, str]:
    expected: dict[str, str] = {}
    for alphabet in (string.ascii_lowercase, string.digits):
        for before, after in pairwise(alphabet):
            expected[before] = expected.get(before, before) + after
            expected[after] = expected.get(after, after) + before
    for row, keys in enumerate(_KEY_ROWS):
        for column, key in enumerate(keys):
            # Each row is shifted to the right of the one above it.
            for other_row, other_column in (
                (row, column - 1),
                (row, column + 1),
                (row - 1, column),
                (row - 1, column + 1),
                (row + 1, column - 1),
                (row + 1, column),
            ):
                if 0 <= other_row < len(_KEY_ROWS) and 0 <= other_column < len(_KEY_ROWS[other_row]):
                    expected[key] = expected.get(key, key) + _KEY_ROWS[other_row][other_column]
    return expected


_EXPECTED = _expected()


def _without(words: Iterable[str], text: str) -> str:
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, " ")
    return text


def _words_of(about: Iterable[str]) -> set[str]:
    words = (word for text in about for word in re.split(r"[\W_]+", unicodedata.normalize("NFC", text).casefold()))
    return {word for word in words if len(word) >= CONTEXT_WORD_MIN}

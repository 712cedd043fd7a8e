"""What a password must be (NIST SP 800-63B-4 section 3.1.1, ASVS 5.0 6.2)."""

import unicodedata
from typing import NewType

from domain.errors import FieldError, Invalid

Password = NewType("Password", str)

PASSWORD_FLOOR = 8
PASSWORD_MAX = 128
"""Code points; also at most 512 bytes of UTF-8, which 128 code points never exceed."""


def parse_password(text: str, *, shortest: int, field: str = "password") -> Password:
    """Return a new password in NFC, refusing one that is too short or too long; never cut, never trimmed."""
    password = normalize_password(text)
    if len(password) < shortest:
        raise Invalid(FieldError(field, f"must have at least {shortest} characters; several words make a good one"))
    if len(password) > PASSWORD_MAX:
        raise Invalid(FieldError(field, f"must have at most {PASSWORD_MAX} characters"))
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        raise Invalid(FieldError(field, "must not contain control characters"))
    return password


def normalize_password(text: str) -> Password:
    """Return the password as it is hashed: NFC, so that keyboards that compose differently agree."""
    return Password(unicodedata.normalize("NFC", text))

"""Email addresses in the one spelling that is stored and compared."""

import re
import stringprep
import unicodedata
from typing import NewType

from domain.errors import FieldError, Invalid

Email = NewType("Email", str)

EMAIL_MAX = 254
"""RFC 5321 section 4.5.3.1.3, less the angle brackets."""

_LOCAL_MAX = 64
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_AMBIGUOUS = frozenset("\N{GREEK SMALL LETTER FINAL SIGMA}\N{IDEOGRAPHIC FULL STOP}\N{HALFWIDTH IDEOGRAPHIC FULL STOP}")
"""What only IDNA 2003 takes for another letter (UTS #46 section 2.3), and what only it takes for a dot."""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def parse_email(text: str, *, field: str = "email") -> Email:
    """Return the canonical spelling: trimmed, NFC, case-folded, the domain as IDNA A-labels; raises Invalid.

    Letters outside ASCII are refused before the at sign, and after it where IDNA would drop them or fold them into
    others, so that no two addresses that a mail server tells apart become one account (CVE-2019-19844).
    """
    local, at, domain = text.strip().rpartition("@")
    if len(text) > EMAIL_MAX + 66 or not at or len(local) > _LOCAL_MAX or not _LOCAL.fullmatch(local):
        raise Invalid(FieldError(field, "must be an email address such as name@example.org"))
    address = f"{local.casefold()}@{_parse_domain(domain, field=field)}"
    if len(address) > EMAIL_MAX:
        raise Invalid(FieldError(field, f"must have at most {EMAIL_MAX} characters"))
    return Email(address)


def _parse_domain(domain: str, *, field: str) -> str:
    bad = Invalid(FieldError(field, "must end in a domain name such as example.org"))
    for character in domain:
        if not character.isascii() and (
            character in _AMBIGUOUS
            or stringprep.in_table_b1(character)
            or any(c.isascii() for c in unicodedata.normalize("NFKC", character).casefold())
        ):
            raise bad
    try:
        ascii_domain = unicodedata.normalize("NFC", domain).casefold().encode("idna").decode("ascii").casefold()
    except UnicodeError:
        raise bad from None
    labels = ascii_domain.split(".")
    if not labels[1:] or labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        raise bad
    return ascii_domain

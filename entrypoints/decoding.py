"""Values that are not what they should be: as msgspec says it, as the domain does, and where they are in JSON."""

import re

import msgspec

from domain.errors import FieldError, Invalid

_AT = re.compile(r" - at `\$(.*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def invalid_of(error: msgspec.ValidationError) -> Invalid:
    """Return the error with the place and the rule apart."""
    message = str(error)
    at = _AT.search(message)
    path = [name or number for name, number in _STEP.findall(at[1])] if at else []
    rule = message[: at.start()] if at else message
    for pattern, words in ((_UNKNOWN, "is not a known field"), (_MISSING, "is required")):
        if named := pattern.fullmatch(rule):
            path.append(named[1])
            rule = words
    return Invalid(FieldError("/".join(step.replace("~", "~0").replace("/", "~1") for step in path), rule))


def pointer_of(error: FieldError) -> str:
    """Return the JSON pointer to the field (RFC 6901)."""
    return f"/{error.field}" if error.field else ""

"""Values that are not what they should be: as msgspec says it, as we do, and where they are in JSON."""

import re

import msgspec

from domain.errors import FieldError, Invalid

_AT = re.compile(r" - at `\$(.*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")

_KIND = re.compile(r"Expected `(.+?)`(?:, got `(.+)`)?")
_LENGTH = re.compile(r"Expected `(.+)` of length ([<>])= (\d+)")
_BOUND = re.compile(r"Expected `.+` ([<>])= (.+)")

_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
    "datetime": "a time such as 2026-03-01T12:00:00Z",
    "uuid": "a UUID",
}
_GIVEN = _KINDS | {"int": "a number", "float": "a decimal number"}
_PARTS = {"str": ("character", "characters"), "array": ("entry", "entries")}
_LIMITS = {">": "at least", "<": "at most"}
_SAID = {
    "Invalid RFC3339 encoded datetime": f"must be {_KINDS['datetime']}",
    "Expected `datetime` with a timezone component": "must say its offset from UTC, as 2026-03-01T12:00:00Z does",
    "Invalid UUID": f"must be {_KINDS['uuid']}",
    "Integer value out of range": "is out of range",
    "Number out of range": "is out of range",
}

NOT_VALID = "is not valid"
"""What is said of a rule that has no words here."""


def invalid_of(error: msgspec.ValidationError) -> Invalid:
    """Return the error with the place and the rule apart."""
    message = str(error)
    at = _AT.search(message)
    path = [name or number for name, number in _STEP.findall(at[1])] if at else []
    broken = message[: at.start()] if at else message
    rule = None
    for pattern, words in ((_UNKNOWN, "is not a known field"), (_MISSING, "is required")):
        if named := pattern.fullmatch(broken):
            path.append(named[1])
            rule = words
    field = "/".join(step.replace("~", "~0").replace("/", "~1") for step in path)
    return Invalid(FieldError(field, rule or rule_of(broken)))


def rule_of(message: str) -> str:
    """Return the rule in words that follow the name of a field: of JSON and not, as msgspec has them, of Python."""
    if said := _SAID.get(message):
        return said
    if message.startswith("Invalid enum value"):
        return "must be one of the values that are allowed"
    if (length := _LENGTH.fullmatch(message)) and length[1] in _PARTS:
        one, many = _PARTS[length[1]]
        return f"must have {_LIMITS[length[2]]} {length[3]} {one if length[3] == '1' else many}"
    if bound := _BOUND.fullmatch(message):
        return f"must be {_LIMITS[bound[1]]} {bound[2]}"
    if kind := _KIND.fullmatch(message):
        wanted = [_KINDS.get(each) for each in kind[1].split(" | ")]
        given = _GIVEN.get(kind[2])
        if all(wanted):
            return f"must be {' or '.join(map(str, wanted))}" + (f", not {given}" if given else "")
    return NOT_VALID


def pointer_of(error: FieldError) -> str:
    """Return the JSON pointer to the field (RFC 6901)."""
    return f"/{error.field}" if error.field else ""

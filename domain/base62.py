"""Numbers as letters and digits only, so that a double click selects all of a token. Fixed width: one spelling each."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_BASE = len(_DIGITS)


def encode(number: int, *, width: int) -> str:
    """Return the number in this many digits, which must be enough for it."""
    digits = []
    for _ in range(width):
        number, digit = divmod(number, _BASE)
        digits.append(_DIGITS[digit])
    assert number == 0
    return "".join(reversed(digits))


def decode(text: str) -> int:
    """Return the number that these digits are."""
    number = 0
    for digit in text:
        number = number * _BASE + _VALUES[digit]
    return number

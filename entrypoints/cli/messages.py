"""What commands tell the operator on stderr, beside their result."""

import click

from domain.errors import Unavailable


def print_message(text: str) -> None:
    """Tell the operator something that is not the command's result."""
    click.echo(text, err=True)


def counted(number: int, noun: str) -> str:
    """Return so many of something, in words."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def reason_of(error: Exception) -> str:
    """Return why something is refused, on one line; who gives commands may know what clients may not."""
    if type(error) is Unavailable and error.__cause__ is not None:
        # Which host refused, which password was wrong.
        return f"{one_line(error)} ({one_line(error.__cause__)})"
    return one_line(error)


def one_line(error: BaseException | None) -> str:
    """Return what an error says, on one line and without what a terminal would obey; its kind if it says nothing."""
    return printable(" ".join(str(error).split())) or type(error).__name__


def printable(text: str) -> str:
    """Return a text with spaces for what can't be printed."""
    return "".join(c if c.isprintable() else " " for c in text)

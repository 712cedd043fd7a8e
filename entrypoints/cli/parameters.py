"""Options whose values have rules of their own. To break one is misuse."""

from datetime import datetime

import click

from domain.errors import Invalid
from domain.text import parse_prose
from entrypoints.moments import parse_moment

QUERY_MAX = 200
"""Characters of what is searched for in texts, as in the API."""


class Moment(click.ParamType[datetime]):
    """A moment, with its offset, such as 2026-03-01T12:00:00Z."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return it in UTC."""
        try:
            return parse_moment(value, field=self.name)
        except Invalid as invalid:
            self.fail(invalid.errors[0].detail, param, ctx)


class SearchText(click.ParamType[str]):
    """What to look for: 1 to so many characters, of which control characters only as texts may have them."""

    name = "text"

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it as it is."""
        if not 1 <= len(value) <= self._longest:
            self.fail(f"must have 1 to {self._longest} characters", param, ctx)
        try:
            value.encode()
        except UnicodeEncodeError:
            # Bytes of an argument that are not UTF-8 become lone surrogates, which no database takes.
            self.fail("is not UTF-8", param, ctx)
        try:
            return parse_prose(value, field=self.name, longest=self._longest)
        except Invalid as invalid:
            # No text has them, so that nothing would ever be found.
            self.fail(invalid.errors[0].detail, param, ctx)

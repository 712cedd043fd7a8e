"""Moments in query parameters."""

from datetime import datetime
from typing import Annotated

from litestar.params import QueryParameter

from entrypoints.moments import parse_moment

Moment = Annotated[
    str | None,
    QueryParameter(
        max_length=40, schema_extra={"format": "date-time"}, description="RFC 3339, with its offset, from 1970 to 2199."
    ),
]


def moment_of(text: str | None, *, parameter: str) -> datetime | None:
    """Return the moment, in UTC, or None for none; raises Invalid."""
    return None if text is None else parse_moment(text, field=f"query/{parameter}")

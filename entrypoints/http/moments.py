"""Moments in query parameters."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar.params import QueryParameter

from domain.errors import FieldError, Invalid

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

Moment = Annotated[
    str | None,
    QueryParameter(
        max_length=40, schema_extra={"format": "date-time"}, description="RFC 3339, with its offset, from 1970 to 2199."
    ),
]


def parse_moment(text: str | None, *, field: str) -> datetime | None:
    """Return the moment, in UTC, or None for none. Raises Invalid unless it has an offset and is of these centuries."""
    if text is None:
        return None
    try:
        moment: datetime = msgspec.convert(text, Annotated[datetime, msgspec.Meta(tz=True)]).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        moment = LATEST
    if not EARLIEST <= moment < LATEST:
        raise Invalid(FieldError(f"query/{field}", "must be a time such as 2026-03-01T12:00:00Z, from 1970 to 2199"))
    return moment

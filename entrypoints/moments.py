"""Moments, as clients and operators write them."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from domain.errors import FieldError, Invalid

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def parse_moment(text: str, *, field: str) -> datetime:
    """Return the moment, in UTC. Raises Invalid unless it is RFC 3339, has an offset and is of these centuries."""
    try:
        moment: datetime = msgspec.convert(text, Annotated[datetime, msgspec.Meta(tz=True)]).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        moment = LATEST
    if not EARLIEST <= moment < LATEST:
        raise Invalid(FieldError(field, "must be a time such as 2026-03-01T12:00:00Z, from 1970 to 2199"))
    return moment

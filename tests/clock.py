"""A clock that tests move."""

from datetime import UTC, datetime, timedelta

from application.ports import Clock

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
"""When tests take place, unless they say otherwise."""


class FixedClock(Clock):
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, step: timedelta) -> None:
        """Move on, or back."""
        self._now += step

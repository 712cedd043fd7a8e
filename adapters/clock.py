"""The time, from the operating system."""

from datetime import UTC, datetime

from application.ports import Clock


class SystemClock(Clock):
    """The operating system's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

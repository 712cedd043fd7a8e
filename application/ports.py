"""Ports that several features need. A port's docstrings are its contract; `tests/contracts` proves each sentence."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.ids import UserId


class UnitOfWork(Protocol):
    """What is done together or not at all. One use case, one unit, one commit; without a commit nothing happened."""

    async def commit(self) -> None:
        """Make everything done in this unit true and durable. Raises Unavailable if that is not certain."""


class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime:
        """Return the present moment, in UTC, to the microsecond."""


class NewId(Protocol):
    """Where identifiers come from."""

    def __call__(self) -> UUID:
        """Return a new UUIDv7 (RFC 9562 section 5.7), greater than those made before it in this process."""


class StandingChanges(Protocol):
    """How the processes that remember who may come in learn that they must look again."""

    async def announce(self, user_id: UserId) -> None:
        """Make what is remembered of this user's sessions forgotten, in this process as the unit commits."""


class StandingMemory(Protocol):
    """What a process remembers of who may come in."""

    def forget(self, user_id: UserId) -> None:
        """Forget this user's sessions, also those being looked up right now."""

"""Ports that several features need. A port's docstrings are its contract; `tests/contracts` proves each sentence."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from application.outbox import LetterTemplate
from application.throttling import ThrottleRule
from domain.access import Client
from domain.audit import AuditAction
from domain.ids import UserId
from domain.users.email import Email


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


class AuditLog(Protocol):
    """What is written down about security: append-only, each entry chained to the one before it."""

    async def record(
        self,
        action: AuditAction,
        *,
        actor_id: UserId | None,
        subject_id: UUID | None,
        client: Client,
        data: Mapping[str, str] | None = None,
    ) -> None:
        """Append an event as part of this unit: it stays if the unit commits, also before an error is raised.

        Call it last before the commit: units that record wait here for one another. `data` must name nobody: no
        address, no name, no token; ids are allowed. OPERATOR is no account: as the actor it is recorded as None, and
        `by: operator` is added to the data.
        """

    async def forget(self, user_id: UserId) -> None:
        """Erase the address and the user agent from this user's events, as actor or subject; the chain still holds."""


class Outbox(Protocol):
    """Letters to be sent. They leave after the unit has committed, and only then."""

    async def put(
        self, template: LetterTemplate, *, recipient: Email, user_id: UserId | None, data: Mapping[str, str]
    ) -> None:
        """Leave a letter as part of this unit. With `user_id` it is removed together with the account."""


class Throttle(Protocol):
    """How often something may be tried, counted across all processes. Each call is a unit of its own."""

    async def take(self, rule: ThrottleRule, subject: str) -> None:
        """Count one try by this subject. Raises Limited, with the seconds to wait, once it is one too many.

        A refused try costs nothing further. What was counted stays counted, whatever becomes of the caller's unit.
        """

    async def give_back(self, rule: ThrottleRule, subject: str) -> None:
        """Uncount one try. However often that is done, no more than a whole burst becomes possible."""


class StandingChanges(Protocol):
    """How the processes that remember who may come in learn that they must look again."""

    async def announce(self, user_id: UserId) -> None:
        """Make what is remembered of this user's sessions forgotten, in this process as the unit commits.

        Processes that share a PostgreSQL database are told at the commit too; all that travels is the user's id.
        """


class StandingMemory(Protocol):
    """What a process remembers of who may come in."""

    def forget(self, user_id: UserId) -> None:
        """Forget this user's sessions, also those being looked up right now."""

    def forget_all(self) -> None:
        """Forget everybody: what changed meanwhile is not known."""


class StandingListener(Protocol):
    """Hears what other processes announce."""

    async def run(self) -> None:
        """Make this process forget what changed in others, until cancelled; return at once if nothing can be heard.

        While it can't hear it forgets nobody: what is remembered then holds for the cache's time. Once it hears again
        everybody is forgotten, because something may have been missed.
        """

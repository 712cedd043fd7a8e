"""How long things are kept that nobody uses any more (ASVS 5.0 14.2.7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from application.ports import Clock
from application.replies import REPLY_KEPT

PURGE_BATCH = 500
"""Rows removed in one transaction, so that nobody waits long for it."""


class Leftover(StrEnum):
    """What becomes useless with time."""

    SENT_LETTERS = "sent_letters"
    DEAD_LETTERS = "dead_letters"
    ENDED_SESSIONS = "ended_sessions"
    SPENT_TOKENS = "spent_tokens"
    OLD_REPLIES = "old_replies"
    IDLE_THROTTLES = "idle_throttles"


RETENTION: Mapping[Leftover, timedelta] = {
    Leftover.SENT_LETTERS: timedelta(days=7),
    Leftover.DEAD_LETTERS: timedelta(days=30),
    Leftover.ENDED_SESSIONS: timedelta(days=30),
    Leftover.SPENT_TOKENS: timedelta(days=1),
    Leftover.OLD_REPLIES: REPLY_KEPT,
    Leftover.IDLE_THROTTLES: timedelta(0),
}
"""How long each is kept.

==============  =======  ===================================================
leftover        kept     counted from
==============  =======  ===================================================
sent letters    7 days   when it was sent
dead letters    30 days  when it was left in the outbox
ended sessions  30 days  its revocation, or the end of its lifetime
spent tokens    1 day    when it was used, or expired
old replies     1 day    when the request came
idle throttles  not      when the subject may do as much as one never seen
==============  =======  ===================================================
"""


class Leftovers(Protocol):
    """What can be removed. Each call is a unit of its own."""

    async def remove(self, leftover: Leftover, *, before: datetime, limit: int) -> int:
        """Remove up to `limit` that became useless before that moment; return how many."""


@dataclass(frozen=True, slots=True)
class PurgeLeftovers:
    """Remove some of what was kept for long enough."""

    leftovers: Leftovers
    clock: Clock

    async def __call__(self) -> Mapping[Leftover, int]:
        """Return how many of each were removed; PURGE_BATCH means that there may be more. Raises Unavailable."""
        now = self.clock.now()
        return {
            leftover: await self.leftovers.remove(leftover, before=now - kept, limit=PURGE_BATCH)
            for leftover, kept in RETENTION.items()
        }

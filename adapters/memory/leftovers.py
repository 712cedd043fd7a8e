"""Removing leftovers from memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.memory.one_time_tokens import ONE_TIME_TOKENS
from adapters.memory.outbox import LETTERS
from adapters.memory.replies import REPLIES
from adapters.memory.sessions import SESSIONS
from adapters.memory.store import MemoryStore, MemoryUnitOfWork
from adapters.memory.throttle import MemoryThrottle
from application.outbox import LetterStatus
from application.retention import Leftover, Leftovers


def _is_before(before: datetime, *moments: datetime | None) -> bool:
    return any(moment is not None and moment < before for moment in moments)


@dataclass
class _Row:
    """A row of any table."""


_LEFTOVERS: Mapping[Leftover, tuple[str, Callable[[Any, datetime], bool]]] = {
    Leftover.SENT_LETTERS: (
        LETTERS,
        lambda letter, before: letter.status is LetterStatus.SENT and _is_before(before, letter.sent_at),
    ),
    Leftover.DEAD_LETTERS: (
        LETTERS,
        lambda letter, before: letter.status is LetterStatus.DEAD and _is_before(before, letter.created_at),
    ),
    Leftover.ENDED_SESSIONS: (
        SESSIONS,
        lambda session, before: _is_before(before, session.revoked_at, session.idle_expires_at, session.expires_at),
    ),
    Leftover.SPENT_TOKENS: (
        ONE_TIME_TOKENS,
        lambda token, before: _is_before(before, token.consumed_at, token.expires_at),
    ),
    Leftover.OLD_REPLIES: (REPLIES, lambda kept, before: _is_before(before, kept.created_at)),
}


class MemoryLeftovers(Leftovers):
    """Removes from the store, and from the throttle's own numbers."""

    def __init__(self, store: MemoryStore, throttle: MemoryThrottle) -> None:
        self._store = store
        self._throttle = throttle

    async def remove(self, leftover: Leftover, *, before: datetime, limit: int) -> int:
        if leftover is Leftover.IDLE_THROTTLES:
            return self._throttle.forget_idle(before, limit=limit)
        name, is_leftover = _LEFTOVERS[leftover]
        unit = MemoryUnitOfWork(self._store)
        try:
            rows = self._store.tables.setdefault(name, {})
            table = await unit.table(name, _Row)
            found = [key for key, row in rows.items() if is_leftover(row, before)][:limit]
            for key in found:
                table.remove(key)
            await unit.commit()
        finally:
            await unit.close()
        return len(found)

"""Remembers for a few seconds how sessions stand, so that most requests need no look-up."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from application.auth.ports import Standing, Standings
from application.ports import Clock, StandingMemory
from domain.ids import SessionId, UserId

_MOST_SESSIONS = 100_000
_MOST_FORGOTTEN = 10_000


@dataclass(frozen=True, slots=True)
class _Remembered:
    standing: Standing
    until: datetime


class StandingSource(Standings, Protocol):
    """Standings straight from storage, for the cache to ask."""


class StandingCache(Standings, StandingMemory):
    """A cache of standings: bounded in size, each entry good for `keep`; zero keeps nothing.

    An answer that was already on its way when its user was forgotten is handed out but not kept, so that nothing
    older than a change survives the change.
    """

    def __init__(self, source: StandingSource, clock: Clock, keep: timedelta) -> None:
        self._source = source
        self._clock = clock
        self._keep = keep
        self._sessions: OrderedDict[SessionId, _Remembered] = OrderedDict()
        self._sessions_of: dict[UserId, set[SessionId]] = {}
        self._changes = 0
        self._changed_at: OrderedDict[UserId, int] = OrderedDict()
        self._forgotten_before = 0

    async def find(self, session_id: SessionId) -> Standing | None:
        now = self._clock.now()
        remembered = self._sessions.get(session_id)
        if remembered is not None:
            if now < remembered.until:
                return remembered.standing
            self._drop(session_id, remembered)
        asked_after = self._changes
        standing = await self._source.find(session_id)
        if standing is None or not self._keep or not self._unchanged(standing.user_id, since=asked_after):
            return standing
        self._sessions[session_id] = _Remembered(standing, until=now + self._keep)
        self._sessions_of.setdefault(standing.user_id, set()).add(session_id)
        if len(self._sessions) > _MOST_SESSIONS:
            self._drop(*next(iter(self._sessions.items())))
        return standing

    def forget(self, user_id: UserId) -> None:
        self._changes += 1
        self._changed_at[user_id] = self._changes
        self._changed_at.move_to_end(user_id)
        if len(self._changed_at) > _MOST_FORGOTTEN:
            _, self._forgotten_before = self._changed_at.popitem(last=False)
        for session_id in self._sessions_of.pop(user_id, ()):
            self._sessions.pop(session_id, None)

    def forget_all(self) -> None:
        self._changes += 1
        self._forgotten_before = self._changes
        self._changed_at.clear()
        self._sessions.clear()
        self._sessions_of.clear()

    def _unchanged(self, user_id: UserId, *, since: int) -> bool:
        return self._forgotten_before <= since and self._changed_at.get(user_id, 0) <= since

    def _drop(self, session_id: SessionId, remembered: _Remembered) -> None:
        self._sessions.pop(session_id, None)
        sessions = self._sessions_of.get(remembered.standing.user_id)
        if sessions is not None:
            sessions.discard(session_id)
            if not sessions:
                del self._sessions_of[remembered.standing.user_id]

"""Remembers for a few seconds how API keys stand, and for a minute that they were used."""

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from application.auth.api_key_ports import ApiKeyStanding, ApiKeyStandings, ApiKeyUses
from application.ports import Clock, StandingMemory
from domain.errors import Unavailable
from domain.ids import ApiKeyId, UserId

_MOST_KEYS = 10_000
USE_RECORDED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Remembered:
    standing: ApiKeyStanding
    until: datetime


class ApiKeyStandingSource(ApiKeyStandings, Protocol):
    """Standings straight from storage, for the cache to ask."""


class ApiKeyCache(ApiKeyStandings, StandingMemory):
    """A cache of API keys' standings: bounded in size, each entry good for `keep`; zero keeps nothing.

    An answer that was already on its way when somebody was forgotten is handed out but not kept, so that nothing older
    than a change survives the change.
    """

    def __init__(self, source: ApiKeyStandingSource, clock: Clock, keep: timedelta) -> None:
        self._source = source
        self._clock = clock
        self._keep = keep
        self._keys: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._changes = 0

    async def find(self, digest: bytes) -> ApiKeyStanding | None:
        now = self._clock.now()
        remembered = self._keys.get(digest)
        if remembered is not None and now < remembered.until:
            return remembered.standing
        asked_after = self._changes
        standing = await self._source.find(digest)
        if standing is None:
            self._keys.pop(digest, None)
        elif self._keep and asked_after == self._changes:
            self._keys[digest] = _Remembered(standing, until=now + self._keep)
            self._keys.move_to_end(digest)
            if len(self._keys) > _MOST_KEYS:
                self._keys.popitem(last=False)
        return standing

    def forget(self, user_id: UserId) -> None:
        self._changes += 1
        for digest in [digest for digest, known in self._keys.items() if known.standing.owner_id == user_id]:
            del self._keys[digest]

    def forget_all(self) -> None:
        self._changes += 1
        self._keys.clear()


class StandingMemories(StandingMemory):
    """All that this process remembers of who may come in, by session and by API key."""

    def __init__(self, *memories: StandingMemory) -> None:
        self._memories = memories

    def forget(self, user_id: UserId) -> None:
        for memory in self._memories:
            memory.forget(user_id)

    def forget_all(self) -> None:
        for memory in self._memories:
            memory.forget_all()


class ApiKeyUseLog:
    """Notes that keys were used, for one write per key and minute, which no request waits for or fails with."""

    def __init__(self, uses: ApiKeyUses, clock: Clock) -> None:
        self._uses = uses
        self._clock = clock
        self._noted: OrderedDict[ApiKeyId, datetime] = OrderedDict()
        self._writes: set[asyncio.Task[None]] = set()

    def note(self, standing: ApiKeyStanding) -> None:
        """Note that this key is used now."""
        now = self._clock.now()
        known = [at for at in (self._noted.get(standing.key_id), standing.last_used_at) if at is not None]
        if any(now - at < USE_RECORDED_EVERY for at in known):
            return
        self._noted[standing.key_id] = now
        self._noted.move_to_end(standing.key_id)
        if len(self._noted) > _MOST_KEYS:
            self._noted.popitem(last=False)
        write = asyncio.create_task(self._write(standing.key_id, now))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writes:
            await asyncio.wait(self._writes)

    async def _write(self, key_id: ApiKeyId, now: datetime) -> None:
        # A use that can't be stored is not worth a request's failure; the next one is a minute off.
        with contextlib.suppress(Unavailable):
            await self._uses.record(key_id, now=now, unless_since=now - USE_RECORDED_EVERY)

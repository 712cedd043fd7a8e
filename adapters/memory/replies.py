"""Kept replies in memory."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from adapters.memory.store import MemoryStore, MemoryUnitOfWork
from adapters.memory.users import USERS
from application.ports import Clock, NewId
from application.replies import (
    CLAIM_LEASE,
    REPLY_KEPT,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    Replies,
    Reply,
    ReplyKey,
)
from domain.ids import UserId
from domain.users.errors import UserNotFound
from domain.users.user import User

REPLIES = "replies"


@dataclass(frozen=True, slots=True)
class KeptReply:
    """A claim, or the reply that came of it."""

    key: ReplyKey
    claim: UUID
    fingerprint: bytes
    owner_id: UserId | None
    created_at: datetime
    reply: Reply | None = None


class MemoryReplies(Replies):
    """Kept replies, within a unit of work."""

    def __init__(self, store: MemoryStore, unit: MemoryUnitOfWork, clock: Clock, new_id: NewId) -> None:
        self._store = store
        self._unit = unit
        self._clock = clock
        self._new_id = new_id
        self._claimed: KeptReply | None = None

    async def claim(self, key: ReplyKey, fingerprint: bytes, *, owner_id: UserId | None) -> Reply | None:
        now = self._clock.now()
        claiming = MemoryUnitOfWork(self._store)
        try:
            replies = await claiming.table(REPLIES, KeptReply)
            kept = replies.get(key)
            lasts = REPLY_KEPT if kept is not None and kept.reply is not None else CLAIM_LEASE
            if kept is not None and now - kept.created_at < lasts:
                if kept.fingerprint != fingerprint:
                    raise IdempotencyKeyReused
                if kept.reply is None:
                    raise IdempotencyInProgress
                return kept.reply
            await _require(claiming, owner_id)
            self._claimed = KeptReply(key, self._new_id(), fingerprint, owner_id, now)
            replies.put(key, self._claimed)
            await claiming.commit()
        finally:
            await claiming.close()
        self._unit.hold()
        return None

    async def keep(self, reply: Reply, *, owner_id: UserId | None) -> None:
        assert self._claimed is not None
        await self._unit.let_go()
        await _require(self._unit, owner_id)
        replies = await self._unit.table(REPLIES, KeptReply)
        if not self._has_claim(replies.get(self._claimed.key)):
            await self._unit.close()
            raise IdempotencyInProgress
        replies.put(self._claimed.key, replace(self._claimed, reply=reply, owner_id=owner_id))
        await self._unit.commit()

    async def abandon(self) -> None:
        assert self._claimed is not None
        await self._unit.let_go()
        replies = await self._unit.table(REPLIES, KeptReply)
        if self._has_claim(replies.get(self._claimed.key)):
            replies.remove(self._claimed.key)
        await self._unit.commit()

    def _has_claim(self, kept: KeptReply | None) -> bool:
        assert self._claimed is not None
        return kept is not None and kept.claim == self._claimed.claim and kept.reply is None


async def _require(unit: MemoryUnitOfWork, owner_id: UserId | None) -> None:
    if owner_id is not None and (await unit.table(USERS, User)).get(owner_id) is None:
        raise UserNotFound

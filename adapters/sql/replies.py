"""Kept replies in SQL."""

import hashlib
from functools import cache
from typing import Any

import sqlalchemy as sa

from adapters.sql.base import Timestamp, metadata
from adapters.sql.dialects import DialectName, insert_into
from adapters.sql.engines import Engines
from adapters.sql.errors import translated
from adapters.sql.unit_of_work import SqlUnitOfWork
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

REPLIES = sa.Table(
    "replies",
    metadata,
    sa.Column("key", sa.LargeBinary(), primary_key=True),
    sa.Column("claim", sa.Uuid(), nullable=False),
    sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
    sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.Column("created_at", Timestamp(), nullable=False),
    sa.Column("status", sa.Integer()),
    sa.Column("headers", sa.JSON(none_as_null=True)),
    sa.Column("body", sa.LargeBinary()),
    sa.Index("ix_replies_created_at", "created_at"),
    sa.Index("ix_replies_owner_id", "owner_id"),
)
"""A claim's row becomes the reply's. The key is there only as a digest."""

_c = REPLIES.c
_NEW = {name: sa.bindparam(name, type_=_c[name].type) for name in ("claim", "fingerprint", "owner_id", "created_at")}
_CLAIM_ENDED = sa.and_(_c.status.is_(None), _c.created_at <= sa.bindparam("lease_began"))
_REPLY_FORGOTTEN = _c.created_at <= sa.bindparam("kept_since")


@cache
def _claim(dialect: DialectName) -> sa.Executable:
    claiming: sa.Executable = (
        insert_into(REPLIES, dialect)
        .values(key=sa.bindparam("key"), **_NEW)
        .on_conflict_do_update(
            index_elements=[_c.key],
            set_={**_NEW, "status": None, "headers": None, "body": None},
            where=sa.or_(_CLAIM_ENDED, _REPLY_FORGOTTEN),
        )
        .returning(_c.claim)
    )
    return claiming


_LOOK = sa.select(_c.fingerprint, _c.status, _c.headers, _c.body).where(_c.key == sa.bindparam("key"))
_IS_CLAIMED = (_c.key == sa.bindparam("claimed_key"), _c.claim == sa.bindparam("held_claim"), _c.status.is_(None))
_KEEP = (
    sa.update(REPLIES)
    .where(*_IS_CLAIMED)
    .values({name: sa.bindparam(name) for name in ("owner_id", "status", "headers", "body")})
)
_ABANDON = sa.delete(REPLIES).where(*_IS_CLAIMED)


class SqlReplies(Replies):
    """Kept replies, within a unit of work."""

    def __init__(self, engines: Engines, unit: SqlUnitOfWork, clock: Clock, new_id: NewId) -> None:
        self._write = engines.write
        self._unit = unit
        self._clock = clock
        self._new_id = new_id
        self._claimed: dict[str, Any] = {}

    async def claim(self, key: ReplyKey, fingerprint: bytes, *, owner_id: UserId | None) -> Reply | None:
        now, digest, claim = self._clock.now(), _digest(key), self._new_id()
        values = {
            "key": digest,
            "claim": claim,
            "fingerprint": fingerprint,
            "owner_id": owner_id,
            "created_at": now,
            "lease_began": now - CLAIM_LEASE,
            "kept_since": now - REPLY_KEPT,
        }
        with translated():
            is_claimed = (await self._write.run(_claim(self._unit.dialect), values)).row() is not None
            kept = None if is_claimed else (await self._write.run(_LOOK, {"key": digest})).row()
        if is_claimed:
            self._claimed = {"claimed_key": digest, "held_claim": claim}
            self._unit.hold()
            return None
        if kept is None:
            # The claim that was in the way has been given up this moment.
            raise IdempotencyInProgress
        kept_fingerprint, status, headers, body = kept
        if kept_fingerprint != fingerprint:
            raise IdempotencyKeyReused
        if status is None:
            raise IdempotencyInProgress
        return Reply(status, headers, body)

    async def keep(self, reply: Reply, *, owner_id: UserId | None) -> None:
        await self._unit.let_go()
        values = {"owner_id": owner_id, "status": reply.status, "headers": dict(reply.headers), "body": reply.body}
        if (await self._unit.execute(_KEEP, {**self._claimed, **values})).count != 1:
            await self._unit.close()
            raise IdempotencyInProgress
        await self._unit.commit()

    async def abandon(self) -> None:
        await self._unit.let_go()
        await self._unit.execute(_ABANDON, self._claimed)
        await self._unit.commit()


def _digest(key: ReplyKey) -> bytes:
    return hashlib.sha256(f"{key.caller}\x00{key.route}\x00{key.key}".encode()).digest()

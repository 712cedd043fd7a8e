"""The audit trail in SQL."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from adapters.sql.base import Timestamp, metadata
from adapters.sql.keyset import KeysetPages
from adapters.sql.mapping import parameters
from adapters.sql.reads import Reads
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.audit import AuditEventView, AuditFilter, AuditQueries, AuditSort
from application.paging import Order, Page, Place
from application.ports import AuditLog, Clock, NewId
from domain.access import Client
from domain.audit import SALT_BYTES, AuditAction, AuditEvent, AuditLink
from domain.ids import UserId

_CHAIN_LOCK = 0x617564697400
"""`audit` in ASCII: who appends holds this until the end of the transaction, so that the chain never forks."""

AUDIT_EVENTS = sa.Table(
    "audit_events",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("id", sa.Uuid(), nullable=False),
    sa.Column("action", sa.String(60), nullable=False),
    sa.Column("actor_id", sa.Uuid()),
    sa.Column("subject_id", sa.Uuid()),
    sa.Column("ip", sa.String(45)),
    sa.Column("user_agent", sa.String(400)),
    sa.Column("client_salt", sa.LargeBinary()),
    sa.Column("client_digest", sa.LargeBinary(), nullable=False),
    sa.Column("created_at", Timestamp(), nullable=False),
    sa.Column("data", sa.Text(), nullable=False),
    sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
    sa.Column("hash", sa.LargeBinary(), nullable=False),
    sa.UniqueConstraint("id"),
    sa.Index("ix_audit_events_created_at_id", "created_at", "id"),
    sa.Index("ix_audit_events_actor_id", "actor_id", "created_at", "id"),
    sa.Index("ix_audit_events_subject_id", "subject_id"),
    sa.Index("ix_audit_events_action", "action", "created_at", "id"),
)
"""An event's hash covers the client's digest and not the client, so that people can be forgotten."""

_c = AUDIT_EVENTS.c
_LAST = sa.select(_c.position, _c.hash).order_by(_c.position.desc()).limit(1)
_LOCK = sa.select(sa.func.pg_advisory_xact_lock(_CHAIN_LOCK))
_ADD = sa.insert(AUDIT_EVENTS).values(parameters(AUDIT_EVENTS.columns.keys()))
_FORGET = (
    sa.update(AUDIT_EVENTS)
    .where((_c.actor_id == sa.bindparam("user_id")) | (_c.subject_id == sa.bindparam("user_id")))
    .values(ip=None, user_agent=None, client_salt=None)
)


class SqlAuditLog(AuditLog):
    """The audit trail, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork, clock: Clock, new_id: NewId) -> None:
        self._unit = unit
        self._clock = clock
        self._new_id = new_id

    async def record(
        self,
        action: AuditAction,
        *,
        actor_id: UserId | None,
        subject_id: UUID | None,
        client: Client,
        data: Mapping[str, str] | None = None,
    ) -> None:
        if self._unit.dialect == "postgresql":
            await self._unit.execute(_LOCK)
        last = (await self._unit.execute(_LAST)).row()
        link = AuditLink.following(
            None if last is None else (last[0], last[1]),
            action,
            id=self._new_id(),
            actor_id=actor_id,
            subject_id=subject_id,
            client=client,
            data=data or {},
            salt=os.urandom(SALT_BYTES),
            now=self._clock.now(),
        )
        event = link.event
        await self._unit.execute(
            _ADD,
            {
                "position": event.position,
                "id": event.id,
                "action": event.action,
                "actor_id": event.actor_id,
                "subject_id": event.subject_id,
                "ip": client.ip,
                "user_agent": client.user_agent,
                "client_salt": link.client_salt,
                "client_digest": event.client_digest,
                "created_at": event.created_at,
                "data": event.data,
                "previous_hash": event.previous_hash,
                "hash": link.hash,
            },
        )

    async def forget(self, user_id: UserId) -> None:
        await self._unit.execute(_FORGET, {"user_id": user_id})


_PAGES = KeysetPages(
    sa.select(_c.id, _c.action, _c.actor_id, _c.subject_id, _c.ip, _c.user_agent, _c.created_at, _c.data),
    keys={AuditSort.CREATED_AT: _c.created_at},
    tie_break=_c.id,
    filters={
        "actor_id": _c.actor_id == sa.bindparam("actor_id"),
        "action": _c.action == sa.bindparam("action"),
        "since": _c.created_at >= sa.bindparam("since"),
    },
)
_POSITIONS = (
    sa.select(_c.position).where(_c.position > sa.bindparam("after")).order_by(_c.position).limit(sa.bindparam("most"))
)
_LINKS = (
    sa.select(*AUDIT_EVENTS.columns)
    .where(_c.position > sa.bindparam("after"))
    .order_by(_c.position)
    .limit(sa.bindparam("most"))
)
_UNREADABLE = (ValueError, TypeError, AttributeError)
"""What the types of columns raise when a SQLite file holds something of another kind."""


class SqlAuditQueries(AuditQueries):
    """The audit trail, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def page(self, which: AuditFilter, *, limit: int, after: Place | None) -> Page[AuditEventView]:
        filters = {"actor_id": which.actor_id, "action": which.action, "since": which.since}
        order = Order(AuditSort.CREATED_AT, descending=True)
        return await _PAGES.page(self._reads, _view, filters, order=order, limit=limit, after=after)

    async def links(self, *, after: int, limit: int) -> Sequence[AuditLink | int]:
        try:
            return await self._reads.all(_LINKS, _link, after=after, most=limit)
        except _UNREADABLE:
            return await self._links_one_by_one(after, limit)

    async def _links_one_by_one(self, after: int, limit: int) -> Sequence[AuditLink | int]:
        links: list[AuditLink | int] = []
        for position in await self._reads.all(_POSITIONS, int, after=after, most=limit):
            try:
                links += await self._reads.all(_LINKS, _link, after=position - 1, most=1)
            except _UNREADABLE:
                links.append(position)
        return links


def _view(
    id: UUID,  # noqa: A002 - named as the column is
    action: str,
    actor_id: UUID | None,
    subject_id: UUID | None,
    ip: str | None,
    user_agent: str | None,
    created_at: datetime,
    data: str,
) -> AuditEventView:
    return AuditEventView(
        id=id,
        action=action,
        actor_id=None if actor_id is None else UserId(actor_id),
        subject_id=subject_id,
        ip=ip,
        user_agent=user_agent,
        created_at=created_at,
        data=json.loads(data),
    )


def _link(
    position: int,
    id: UUID,  # noqa: A002 - named as the column is
    action: str,
    actor_id: UUID | None,
    subject_id: UUID | None,
    ip: str | None,
    user_agent: str | None,
    client_salt: bytes | None,
    client_digest: bytes,
    created_at: datetime,
    data: str,
    previous_hash: bytes,
    hash: bytes,  # noqa: A002 - likewise
) -> AuditLink:
    # SQLite keeps any kind of value in any column; the types of these pass on what they find.
    texts, bytestrings = (action, data, ip or "", user_agent or ""), (client_salt or b"", client_digest, previous_hash)
    if {type(text) for text in texts} != {str} or {type(value) for value in (*bytestrings, hash)} != {bytes}:
        raise TypeError
    event = AuditEvent(
        position=position,
        id=id,
        action=action,
        actor_id=None if actor_id is None else UserId(actor_id),
        subject_id=subject_id,
        client_digest=client_digest,
        created_at=created_at,
        data=data,
        previous_hash=previous_hash,
    )
    return AuditLink(event=event, hash=hash, client=Client(ip, user_agent), client_salt=client_salt)

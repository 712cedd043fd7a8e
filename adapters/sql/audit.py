"""The audit trail in SQL."""

import os
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp, table_of
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.ports import AuditLog, Clock, NewId
from domain.access import Client
from domain.audit import GENESIS, AuditAction, AuditEvent, canonical_json, digest_client
from domain.ids import UserId

_CHAIN_LOCK = 0x617564697400
"""`audit` in ASCII: who appends holds this until the end of the transaction, so that the chain never forks."""
_SALT_BYTES = 16


class AuditEventRecord(Record):
    """An event's row. Its hash covers the client's digest and not the client, so that people can be forgotten."""

    __tablename__ = "audit_events"
    __table_args__ = (
        sa.UniqueConstraint("id"),
        sa.Index("ix_audit_events_created_at_id", "created_at", "id"),
        sa.Index("ix_audit_events_actor_id", "actor_id", "created_at", "id"),
        sa.Index("ix_audit_events_subject_id", "subject_id"),
    )

    position: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
    )
    id: Mapped[UUID] = mapped_column(sa.Uuid())
    action: Mapped[str] = mapped_column(sa.String(60))
    actor_id: Mapped[UUID | None] = mapped_column(sa.Uuid())
    subject_id: Mapped[UUID | None] = mapped_column(sa.Uuid())
    ip: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(400))
    client_salt: Mapped[bytes | None] = mapped_column(sa.LargeBinary())
    client_digest: Mapped[bytes] = mapped_column(sa.LargeBinary())
    created_at: Mapped[datetime] = mapped_column(Timestamp())
    data: Mapped[str] = mapped_column(sa.Text())
    previous_hash: Mapped[bytes] = mapped_column(sa.LargeBinary())
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary())


_table = table_of(AuditEventRecord)
_LAST = sa.select(_table.c.position, _table.c.hash).order_by(_table.c.position.desc()).limit(1)
_LOCK = sa.select(sa.func.pg_advisory_xact_lock(_CHAIN_LOCK))
_FORGET = (
    sa.update(_table)
    .where((_table.c.actor_id == sa.bindparam("user_id")) | (_table.c.subject_id == sa.bindparam("user_id")))
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
        last = (await self._unit.execute(_LAST)).one_or_none()
        position, previous_hash = (0, GENESIS) if last is None else last
        salt = os.urandom(_SALT_BYTES)
        event = AuditEvent(
            position=position + 1,
            id=self._new_id(),
            action=action,
            actor_id=actor_id,
            subject_id=subject_id,
            client_digest=digest_client(client, salt),
            created_at=self._clock.now(),
            data=data or {},
            previous_hash=previous_hash,
        )
        await self._unit.execute(
            sa.insert(_table),
            {
                "position": event.position,
                "id": event.id,
                "action": event.action,
                "actor_id": event.actor_id,
                "subject_id": event.subject_id,
                "ip": client.ip,
                "user_agent": client.user_agent,
                "client_salt": salt,
                "client_digest": event.client_digest,
                "created_at": event.created_at,
                "data": canonical_json(event.data),
                "previous_hash": event.previous_hash,
                "hash": event.chain_hash(),
            },
        )

    async def forget(self, user_id: UserId) -> None:
        await self._unit.execute(_FORGET, {"user_id": user_id})

"""The audit trail in SQL."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp


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

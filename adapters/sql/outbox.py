"""The outbox in SQL."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp
from domain.users.email import EMAIL_MAX


class LetterRecord(Record):
    """A letter's row. What the letter says is sealed, and deleted once it was sent."""

    __tablename__ = "letters"
    __table_args__ = (
        sa.Index("ix_letters_status_next_attempt_at", "status", "next_attempt_at"),
        sa.Index("ix_letters_user_id", "user_id"),
    )

    id: Mapped[UUID] = mapped_column(sa.Uuid(), primary_key=True)
    user_id: Mapped[UUID | None] = mapped_column(sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"))
    recipient: Mapped[str] = mapped_column(sa.String(EMAIL_MAX))
    template: Mapped[str] = mapped_column(sa.String(60))
    sealed_data: Mapped[bytes | None] = mapped_column(sa.LargeBinary())
    status: Mapped[str] = mapped_column(sa.String(20))
    attempts: Mapped[int] = mapped_column(sa.Integer())
    next_attempt_at: Mapped[datetime] = mapped_column(Timestamp())
    leased_until: Mapped[datetime | None] = mapped_column(Timestamp())
    lease: Mapped[int] = mapped_column(sa.Integer())
    last_error: Mapped[str | None] = mapped_column(sa.String(500))
    created_at: Mapped[datetime] = mapped_column(Timestamp())
    sent_at: Mapped[datetime | None] = mapped_column(Timestamp())

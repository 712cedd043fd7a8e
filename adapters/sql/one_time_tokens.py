"""One-time tokens in SQL."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp
from domain.users.email import EMAIL_MAX


class OneTimeTokenRecord(Record):
    """A token's row; of the token itself only the digest."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (sa.UniqueConstraint("digest"), sa.Index("ix_one_time_tokens_user_id", "user_id"))

    id: Mapped[UUID] = mapped_column(sa.Uuid(), primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary())
    purpose: Mapped[str] = mapped_column(sa.String(30))
    user_id: Mapped[UUID] = mapped_column(sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"))
    email: Mapped[str | None] = mapped_column(sa.String(EMAIL_MAX))
    attempts: Mapped[int] = mapped_column(sa.Integer())
    created_at: Mapped[datetime] = mapped_column(Timestamp())
    expires_at: Mapped[datetime] = mapped_column(Timestamp())
    consumed_at: Mapped[datetime | None] = mapped_column(Timestamp())

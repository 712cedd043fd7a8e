"""API keys in SQL."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp


class ApiKeyRecord(Record):
    """An API key's row; of the key itself only the digest."""

    __tablename__ = "api_keys"
    __table_args__ = (sa.UniqueConstraint("digest"), sa.Index("ix_api_keys_owner_id", "owner_id"))

    id: Mapped[UUID] = mapped_column(sa.Uuid(), primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(100))
    prefix: Mapped[str] = mapped_column(sa.String(20))
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary())
    scopes: Mapped[list[str]] = mapped_column(sa.JSON())
    created_at: Mapped[datetime] = mapped_column(Timestamp())
    expires_at: Mapped[datetime | None] = mapped_column(Timestamp())
    last_used_at: Mapped[datetime | None] = mapped_column(Timestamp())
    revoked_at: Mapped[datetime | None] = mapped_column(Timestamp())

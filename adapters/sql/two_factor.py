"""Second factors in SQL."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp


class TotpRecord(Record):
    """An account's TOTP seed, sealed, and the last time step that was accepted of it."""

    __tablename__ = "totp_factors"

    user_id: Mapped[UUID] = mapped_column(sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    sealed_seed: Mapped[bytes] = mapped_column(sa.LargeBinary())
    created_at: Mapped[datetime] = mapped_column(Timestamp())
    confirmed_at: Mapped[datetime | None] = mapped_column(Timestamp())
    last_step: Mapped[int | None] = mapped_column(sa.BigInteger())


class RecoveryCodeRecord(Record):
    """A recovery code's row; of the code itself only the digest."""

    __tablename__ = "recovery_codes"
    __table_args__ = (sa.UniqueConstraint("user_id", "digest"),)

    id: Mapped[UUID] = mapped_column(sa.Uuid(), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"))
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary())
    used_at: Mapped[datetime | None] = mapped_column(Timestamp())

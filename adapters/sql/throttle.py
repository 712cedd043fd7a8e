"""Throttling in SQL."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp


class ThrottleRecord(Record):
    """A subject's row under a rule, both only as a digest; `free_at` is GCRA's theoretical arrival time."""

    __tablename__ = "throttles"
    __table_args__ = (sa.Index("ix_throttles_free_at", "free_at"),)

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    free_at: Mapped[datetime] = mapped_column(Timestamp())

"""The outbox in SQL."""

import json
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp, table_of
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.outbox import LetterStatus, LetterTemplate, Sealer
from application.ports import Clock, NewId, Outbox
from domain.ids import UserId
from domain.users.email import EMAIL_MAX, Email


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


_table = table_of(LetterRecord)


class SqlOutbox(Outbox):
    """The outbox, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork, sealer: Sealer, clock: Clock, new_id: NewId) -> None:
        self._unit = unit
        self._sealer = sealer
        self._clock = clock
        self._new_id = new_id

    async def put(
        self, template: LetterTemplate, *, recipient: Email, user_id: UserId | None, data: Mapping[str, str]
    ) -> None:
        now, letter_id = self._clock.now(), self._new_id()
        await self._unit.execute(
            sa.insert(_table),
            {
                "id": letter_id,
                "user_id": user_id,
                "recipient": recipient,
                "template": template,
                "sealed_data": self._sealer.seal(json.dumps(dict(data)).encode(), context=str(letter_id)),
                "status": LetterStatus.PENDING,
                "attempts": 0,
                "next_attempt_at": now,
                "lease": 0,
                "created_at": now,
            },
        )

"""The outbox in SQL."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from adapters.sql.base import Timestamp, metadata
from adapters.sql.engines import Engines
from adapters.sql.errors import translated
from adapters.sql.keyset import KeysetPages
from adapters.sql.mapping import parameters
from adapters.sql.plans import Row
from adapters.sql.reads import Reads
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.outbox import (
    ABOUT_NOBODY,
    Letter,
    LetterNotFound,
    LetterQueries,
    LetterQueue,
    LetterSort,
    LetterStatus,
    LetterTemplate,
    LetterView,
    MailBell,
    Sealer,
    Unsealable,
    check_data,
)
from application.paging import Order, Page, Place
from application.ports import Clock, NewId, Outbox
from domain.ids import UserId
from domain.users.email import EMAIL_MAX, Email

LETTERS = sa.Table(
    "letters",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.Column("recipient", sa.String(EMAIL_MAX), nullable=False),
    sa.Column("template", sa.String(60), nullable=False),
    sa.Column("sealed_data", sa.LargeBinary()),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("next_attempt_at", Timestamp(), nullable=False),
    sa.Column("leased_until", Timestamp()),
    sa.Column("lease", sa.Integer(), nullable=False),
    sa.Column("last_error", sa.String(500)),
    sa.Column("created_at", Timestamp(), nullable=False),
    sa.Column("sent_at", Timestamp()),
    sa.Index("ix_letters_status_next_attempt_at", "status", "next_attempt_at"),
    sa.Index("ix_letters_user_id", "user_id"),
)
"""What a letter says is sealed, and deleted once it was sent."""

_c = LETTERS.c
_NAMES = LETTERS.columns.keys()
_ADD = sa.insert(LETTERS).values(parameters(_NAMES))


class SqlOutbox(Outbox):
    """The outbox, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork, sealer: Sealer, clock: Clock, new_id: NewId, bell: MailBell) -> None:
        self._unit = unit
        self._sealer = sealer
        self._clock = clock
        self._new_id = new_id
        self._bell = bell

    async def put(
        self, template: LetterTemplate, *, recipient: Email, user_id: UserId | None, data: Mapping[str, str]
    ) -> None:
        check_data(template, data)
        now, letter_id = self._clock.now(), self._new_id()
        await self._unit.execute(
            _ADD,
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
                "leased_until": None,
                "last_error": None,
                "sent_at": None,
            },
        )
        self._unit.after_commit(self._bell.ring)


_NOW = sa.bindparam("now", type_=Timestamp())
_IS_FREE = sa.and_(
    _c.status == LetterStatus.PENDING,
    _c.next_attempt_at <= _NOW,
    sa.or_(_c.leased_until.is_(None), _c.leased_until <= _NOW),
)
_ANY_FREE = sa.select(_c.id).where(_IS_FREE).limit(1)
_FREE = (
    sa.select(_c.id)
    .where(_IS_FREE)
    .order_by(_c.next_attempt_at, _c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer()))
    .with_for_update(skip_locked=True)
    # As a subquery of the update PostgreSQL might run it more than once, and lock more letters than asked for.
    .cte("free")
)
_CLAIM = (
    sa.update(LETTERS)
    .where(_c.id.in_(sa.select(_FREE.c.id)))
    .values(attempts=_c.attempts + 1, lease=_c.lease + 1, leased_until=sa.bindparam("until", type_=Timestamp()))
    .returning(*LETTERS.columns)
)
_HELD = (
    _c.id == sa.bindparam("letter_id"),
    _c.lease == sa.bindparam("held_lease"),
    _c.status == LetterStatus.PENDING,
    _c.leased_until.is_not(None),
)
_MARK = sa.update(LETTERS).where(*_HELD)
_REMOVE = sa.delete(LETTERS).where(*_HELD)
_ERROR = sa.bindparam("error", type_=sa.String())
_SENT = _MARK.values(
    status=LetterStatus.SENT, sent_at=_NOW, sealed_data=sa.null(), leased_until=sa.null(), last_error=sa.null()
)
_FAILED = _MARK.values(
    leased_until=sa.null(), last_error=_ERROR, next_attempt_at=sa.bindparam("again_at", type_=Timestamp())
)
_DEAD = _MARK.values(status=LetterStatus.DEAD, leased_until=sa.null(), last_error=_ERROR)
_RETRY = (
    sa.update(LETTERS)
    .where(_c.id == sa.bindparam("letter_id"), _c.status != LetterStatus.SENT)
    .values(status=LetterStatus.PENDING, attempts=0, next_attempt_at=_NOW, leased_until=sa.null(), lease=_c.lease + 1)
)


def _the_id(letter_id: UUID) -> UUID:
    return letter_id


class SqlLetterQueue(LetterQueue):
    """The outbox as relays see it, each call in a transaction of its own, none of them open while a letter is sent."""

    def __init__(self, engines: Engines, sealer: Sealer) -> None:
        self._write = engines.write
        # A SQLite file is written by one at a time: whoever only wants to know whether there is mail need not wait.
        self._looks_first = Reads(engines.read) if engines.write.dialect == "sqlite" else None
        self._sealer = sealer

    async def claim(self, *, limit: int, now: datetime, until: datetime) -> Sequence[Letter]:
        if self._looks_first is not None and await self._looks_first.one(_ANY_FREE, _the_id, now=now) is None:
            return []
        with translated():
            rows = (await self._write.run(_CLAIM, {"limit": limit, "now": now, "until": until})).rows
        return sorted(map(self._letter, rows), key=lambda letter: (letter.next_attempt_at, letter.id))

    async def mark_sent(self, letter: Letter, *, now: datetime) -> bool:
        if letter.template in ABOUT_NOBODY:
            return await self._mark(_REMOVE, letter)
        return await self._mark(_SENT, letter, now=now)

    async def mark_failed(self, letter: Letter, *, error: str, next_attempt_at: datetime) -> bool:
        return await self._mark(_FAILED, letter, error=error, again_at=next_attempt_at)

    async def mark_dead(self, letter: Letter, *, error: str) -> bool:
        if letter.template in ABOUT_NOBODY:
            return await self._mark(_REMOVE, letter)
        return await self._mark(_DEAD, letter, error=error)

    async def retry(self, letter_id: UUID, *, now: datetime) -> bool:
        return await self._change(_RETRY, {"letter_id": letter_id, "now": now})

    async def _mark(self, statement: sa.Update | sa.Delete, letter: Letter, **values: object) -> bool:
        return await self._change(statement, {"letter_id": letter.id, "held_lease": letter.lease, **values})

    async def _change(self, statement: sa.Update | sa.Delete, parameters: dict[str, object]) -> bool:
        with translated():
            return (await self._write.run(statement, parameters)).count == 1

    def _letter(self, row: Row) -> Letter:
        fields = dict(zip(_NAMES, row, strict=True))
        data = self._unsealed(fields.pop("sealed_data"), fields["id"])
        template, status = LetterTemplate(fields.pop("template")), LetterStatus(fields.pop("status"))
        return Letter(**fields, data=data, template=template, status=status)

    def _unsealed(self, sealed: bytes, letter_id: UUID) -> dict[str, str] | None:
        try:
            data: dict[str, str] = json.loads(self._sealer.open(sealed, context=str(letter_id)))
        except Unsealable:
            return None
        return data


def _view(
    letter_id: UUID,
    user_id: UUID | None,
    recipient: str,
    template: str,
    status: str,
    attempts: int,
    next_attempt_at: datetime,
    last_error: str | None,
    created_at: datetime,
    sent_at: datetime | None,
) -> LetterView:
    return LetterView(
        letter_id,
        None if user_id is None else UserId(user_id),
        Email(recipient),
        LetterTemplate(template),
        LetterStatus(status),
        attempts,
        next_attempt_at,
        last_error,
        created_at,
        sent_at,
    )


_VIEW = sa.select(
    _c.id,
    _c.user_id,
    _c.recipient,
    _c.template,
    _c.status,
    _c.attempts,
    _c.next_attempt_at,
    _c.last_error,
    _c.created_at,
    _c.sent_at,
)
_BY_ID = _VIEW.where(_c.id == sa.bindparam("id"))
_PAGES = KeysetPages(
    _VIEW,
    keys={LetterSort.CREATED_AT: _c.created_at},
    tie_break=_c.id,
    filters={"status": _c.status == sa.bindparam("status")},
)


class SqlLetterQueries(LetterQueries):
    """Letters, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, letter_id: UUID) -> LetterView:
        view = await self._reads.one(_BY_ID, _view, id=letter_id)
        if view is None:
            raise LetterNotFound
        return view

    async def page(
        self, status: LetterStatus | None, *, order: Order[LetterSort], limit: int, after: Place | None
    ) -> Page[LetterView]:
        return await _PAGES.page(self._reads, _view, {"status": status}, order=order, limit=limit, after=after)

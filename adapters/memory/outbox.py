"""The outbox in memory."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from adapters.memory.paging import page_of
from adapters.memory.store import MemoryStore, MemoryTable, MemoryUnitOfWork
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
    check_data,
)
from application.paging import Order, Page, Place
from application.ports import Clock, NewId, Outbox
from domain.ids import UserId
from domain.users.email import Email

LETTERS = "letters"


class MemoryOutbox(Outbox):
    """The outbox, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork, clock: Clock, new_id: NewId, bell: MailBell) -> None:
        self._unit = unit
        self._clock = clock
        self._new_id = new_id
        self._bell = bell

    async def put(
        self, template: LetterTemplate, *, recipient: Email, user_id: UserId | None, data: Mapping[str, str]
    ) -> None:
        check_data(template, data)
        now = self._clock.now()
        letter = Letter(
            id=self._new_id(),
            user_id=user_id,
            recipient=recipient,
            template=template,
            data=dict(data),
            status=LetterStatus.PENDING,
            attempts=0,
            next_attempt_at=now,
            leased_until=None,
            lease=0,
            last_error=None,
            created_at=now,
            sent_at=None,
        )
        (await self._unit.table(LETTERS, Letter)).put(letter.id, letter)
        self._unit.after_commit(self._bell.ring)


class MemoryLetterQueue(LetterQueue):
    """The outbox as relays see it, each call a unit of its own."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def claim(self, *, limit: int, now: datetime, until: datetime) -> Sequence[Letter]:
        def is_free(letter: Letter) -> bool:
            return (
                letter.status is LetterStatus.PENDING
                and letter.next_attempt_at <= now
                and (letter.leased_until is None or letter.leased_until <= now)
            )

        async with self._letters() as letters:
            free = sorted(filter(is_free, letters.rows()), key=lambda letter: (letter.next_attempt_at, letter.id))
            claimed = [
                replace(letter, attempts=letter.attempts + 1, lease=letter.lease + 1, leased_until=until)
                for letter in free[:limit]
            ]
            for letter in claimed:
                letters.put(letter.id, letter)
        return claimed

    async def mark_sent(self, letter: Letter, *, now: datetime) -> bool:
        if letter.template in ABOUT_NOBODY:
            return await self._remove(letter)
        return await self._mark(letter, status=LetterStatus.SENT, sent_at=now, data=None, last_error=None)

    async def mark_failed(self, letter: Letter, *, error: str, next_attempt_at: datetime) -> bool:
        return await self._mark(letter, last_error=error, next_attempt_at=next_attempt_at)

    async def mark_dead(self, letter: Letter, *, error: str) -> bool:
        if letter.template in ABOUT_NOBODY:
            return await self._remove(letter)
        return await self._mark(letter, status=LetterStatus.DEAD, last_error=error)

    async def retry(self, letter_id: UUID, *, now: datetime) -> bool:
        async with self._letters() as letters:
            letter = letters.get(letter_id)
            if letter is None or letter.status is LetterStatus.SENT:
                return False
            due = replace(
                letter,
                status=LetterStatus.PENDING,
                attempts=0,
                next_attempt_at=now,
                leased_until=None,
                lease=letter.lease + 1,
            )
            letters.put(letter_id, due)
        return True

    async def _mark(self, held: Letter, **changes: object) -> bool:
        async with self._letters() as letters:
            letter = letters.get(held.id)
            if letter is None or letter.lease != held.lease or letter.leased_until is None:
                return False
            letters.put(letter.id, replace(letter, leased_until=None, **changes))  # type: ignore[arg-type]
        return True

    async def _remove(self, held: Letter) -> bool:
        async with self._letters() as letters:
            letter = letters.get(held.id)
            if letter is None or letter.lease != held.lease or letter.leased_until is None:
                return False
            letters.remove(letter.id)
        return True

    @asynccontextmanager
    async def _letters(self) -> AsyncGenerator[MemoryTable[Letter]]:
        unit = MemoryUnitOfWork(self._store)
        try:
            yield await unit.table(LETTERS, Letter)
            await unit.commit()
        finally:
            await unit.close()


def _view(letter: Letter) -> LetterView:
    return LetterView(
        letter.id,
        letter.user_id,
        letter.recipient,
        letter.template,
        letter.status,
        letter.attempts,
        letter.next_attempt_at,
        letter.last_error,
        letter.created_at,
        letter.sent_at,
    )


class MemoryLetterQueries(LetterQueries):
    """Letters, as they are committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def get(self, letter_id: UUID) -> LetterView:
        letter = self._store.table(LETTERS, Letter).get(letter_id)
        if letter is None:
            raise LetterNotFound
        return _view(letter)

    async def page(
        self, status: LetterStatus | None, *, order: Order[LetterSort], limit: int, after: Place | None
    ) -> Page[LetterView]:
        return page_of(
            (letter for letter in self._store.table(LETTERS, Letter).values() if status in (None, letter.status)),
            _view,
            key=lambda letter: letter.created_at,
            tie_break=lambda letter: letter.id,
            order=order,
            limit=limit,
            after=after,
        )

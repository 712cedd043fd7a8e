"""The outbox in memory."""

from collections.abc import Mapping

from adapters.memory.store import MemoryUnitOfWork
from application.outbox import Letter, LetterStatus, LetterTemplate
from application.ports import Clock, NewId, Outbox
from domain.ids import UserId
from domain.users.email import Email

LETTERS = "letters"


class MemoryOutbox(Outbox):
    """The outbox, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork, clock: Clock, new_id: NewId) -> None:
        self._unit = unit
        self._clock = clock
        self._new_id = new_id

    async def put(
        self, template: LetterTemplate, *, recipient: Email, user_id: UserId | None, data: Mapping[str, str]
    ) -> None:
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

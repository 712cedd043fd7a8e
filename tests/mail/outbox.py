"""Letters in the outbox, as use cases would leave them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from dishka import AsyncContainer

from application.outbox import Letter, LetterQueries, LetterQueue, LetterSort, LetterTemplate, LetterView
from application.paging import Order
from application.ports import Outbox, UnitOfWork
from domain.ids import UserId
from domain.users.email import parse_email
from tests.builders import an_email, an_id
from tests.clock import NOW

LINK = "https://api.example.org/account/verify#token=s3cr3t"


async def leave(
    container: AsyncContainer,
    template: LetterTemplate = LetterTemplate.VERIFY_EMAIL,
    *,
    recipient: str | None = None,
    user_id: UserId | None = None,
    data: Mapping[str, str] | None = None,
    times: int = 1,
) -> None:
    """Commit letters to the outbox."""
    async with container() as scope:
        outbox, unit = await scope.get(Outbox), await scope.get(UnitOfWork)
        for _ in range(times):
            await outbox.put(
                template,
                recipient=parse_email(recipient or an_email()),
                user_id=user_id,
                data={"link": LINK} if data is None else data,
            )
        await unit.commit()


async def letters_of(container: AsyncContainer) -> list[LetterView]:
    """Return all letters, the oldest first."""
    letters: LetterQueries = await container.get(LetterQueries)
    page = await letters.page(None, order=Order(LetterSort.CREATED_AT), limit=1_000, after=None)
    return list(page.data)


async def the_letter(container: AsyncContainer) -> LetterView:
    """Return the only letter."""
    (letter,) = await letters_of(container)
    return letter


async def claim(container: AsyncContainer, *, now: datetime = NOW, limit: int = 10) -> list[Letter]:
    """Claim letters for a minute."""
    queue: LetterQueue = await container.get(LetterQueue)
    return list(await queue.claim(limit=limit, now=now, until=now + timedelta(minutes=1)))


def an_unknown_letter() -> UUID:
    """Return an id that no letter has."""
    return an_id()

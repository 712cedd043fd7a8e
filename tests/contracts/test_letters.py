"""`Outbox`, `LetterQueue` and `LetterQueries`."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from dishka import AsyncContainer

from adapters.memory.outbox import LETTERS
from adapters.memory.store import MemoryStore
from adapters.sql.engines import Engines
from application.outbox import (
    Letter,
    LetterNotFound,
    LetterQueries,
    LetterQueue,
    LetterSort,
    LetterStatus,
    LetterTemplate,
    LetterView,
    MailBell,
)
from application.paging import Order
from application.ports import Outbox, UnitOfWork
from domain.users.email import Email
from entrypoints.settings import Settings
from tests.builders import a_user
from tests.clock import NOW
from tests.engines import engine_on
from tests.mail.outbox import LINK, an_unknown_letter, claim, leave, letters_of, the_letter
from tests.units import store

A_MINUTE = timedelta(minutes=1)
LATER = NOW + A_MINUTE


async def queue_of(container: AsyncContainer) -> LetterQueue:
    queue: LetterQueue = await container.get(LetterQueue)
    return queue


async def is_sealed_away(container: AsyncContainer, settings: Settings, letter: Letter | LetterView) -> bool:
    """Tell whether what the letter says is still stored."""
    if settings.is_memory:
        memory: MemoryStore = await container.get(MemoryStore)
        return memory.table(LETTERS, Letter)[letter.id].data is not None
    engines: Engines = await container.get(Engines)
    async with engine_on(engines.write).connect() as connection:
        sealed = await connection.scalar(
            sa.text("SELECT sealed_data FROM letters WHERE id = :id").bindparams(
                sa.bindparam("id", letter.id, type_=sa.Uuid())
            )
        )
    return sealed is not None


# --- put


async def test_a_letter_is_due_as_soon_as_it_is_committed(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)

    await leave(container, recipient="ada@example.org", user_id=user.id)

    letter = await the_letter(container)
    assert letter == LetterView(
        letter.id,
        user.id,
        Email("ada@example.org"),
        LetterTemplate.VERIFY_EMAIL,
        LetterStatus.PENDING,
        attempts=0,
        next_attempt_at=NOW,
        last_error=None,
        created_at=NOW,
        sent_at=None,
    )


async def test_a_letter_that_is_not_committed_never_was(container: AsyncContainer) -> None:
    async with container() as scope:
        outbox = await scope.get(Outbox)
        await outbox.put(
            LetterTemplate.VERIFY_EMAIL, recipient=Email("ada@example.org"), user_id=None, data={"link": LINK}
        )

    assert await letters_of(container) == []
    assert await claim(container) == []


@pytest.mark.parametrize("data", [{}, {"link": LINK, "name": "Ada"}, {"lnik": LINK}])
async def test_refuses_a_letter_with_other_data_than_it_takes(container: AsyncContainer, data: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="verify_email takes"):
        await leave(container, LetterTemplate.VERIFY_EMAIL, data=data)


async def test_rings_for_the_relay_as_the_unit_commits_and_not_before(container: AsyncContainer) -> None:
    bell: MailBell = await container.get(MailBell)
    rung = asyncio.ensure_future(bell.listen(10))

    async with container() as scope:
        outbox, unit = await scope.get(Outbox), await scope.get(UnitOfWork)
        await outbox.put(LetterTemplate.MFA_ENABLED, recipient=Email("ada@example.org"), user_id=None, data={})
        for _ in range(5):
            await asyncio.sleep(0)
        rung_before = rung.done()
        await unit.commit()

    await asyncio.wait_for(rung, 1)
    assert not rung_before


# --- claim


async def test_a_claim_opens_the_letter_and_counts_as_an_attempt(container: AsyncContainer) -> None:
    await leave(container, recipient="ada@example.org")

    (claimed,) = await claim(container)

    assert claimed.recipient == "ada@example.org"
    assert claimed.template is LetterTemplate.VERIFY_EMAIL
    assert claimed.data == {"link": LINK}
    assert (claimed.status, claimed.attempts, claimed.lease) == (LetterStatus.PENDING, 1, 1)
    assert claimed.leased_until == LATER
    assert (await the_letter(container)).attempts == 1


async def test_claims_what_is_due_longest_and_no_more_than_asked_for(container: AsyncContainer) -> None:
    await leave(container, times=3)
    first, second, third = await letters_of(container)

    assert [letter.id for letter in await claim(container, limit=2)] == [first.id, second.id]
    assert [letter.id for letter in await claim(container, limit=2)] == [third.id]
    assert await claim(container, limit=2) == []


async def test_claims_nothing_before_it_is_due(container: AsyncContainer) -> None:
    await leave(container)

    assert await claim(container, now=NOW - timedelta(microseconds=1)) == []


async def test_claims_what_another_holds_only_after_its_lease(container: AsyncContainer) -> None:
    await leave(container)
    await claim(container)

    too_early = await claim(container, now=LATER - timedelta(microseconds=1))
    (again,) = await claim(container, now=LATER)

    assert too_early == []
    assert (again.attempts, again.lease, again.leased_until) == (2, 2, LATER + A_MINUTE)


async def test_gives_each_letter_to_one_of_many_relays_at_once(container: AsyncContainer) -> None:
    await leave(container, times=30)

    claims = await asyncio.gather(*(claim(container, limit=4) for _ in range(8)))

    claimed = [letter.id for letters in claims for letter in letters]
    assert len(claimed) == len(set(claimed)) == 30
    assert all(len(letters) <= 4 for letters in claims)


# --- how it fared


async def test_deletes_what_a_letter_says_once_it_was_sent(container: AsyncContainer, storage: Settings) -> None:
    await leave(container)
    (claimed,) = await claim(container)
    queue = await queue_of(container)
    was_there = await is_sealed_away(container, storage, claimed)

    assert await queue.mark_sent(claimed, now=LATER) is True

    letter = await the_letter(container)
    assert (letter.status, letter.sent_at, letter.last_error) == (LetterStatus.SENT, LATER, None)
    assert was_there
    assert not await is_sealed_away(container, storage, letter)
    assert await claim(container, now=LATER + A_MINUTE) == []


async def test_lets_a_failed_letter_rest_until_its_next_try(container: AsyncContainer) -> None:
    await leave(container)
    (claimed,) = await claim(container)
    queue = await queue_of(container)

    assert await queue.mark_failed(claimed, error="busy", next_attempt_at=NOW + timedelta(seconds=10)) is True

    letter = await the_letter(container)
    assert (letter.status, letter.last_error, letter.attempts) == (LetterStatus.PENDING, "busy", 1)
    assert await claim(container, now=NOW + timedelta(seconds=9)) == []
    (again,) = await claim(container, now=NOW + timedelta(seconds=10))
    assert (again.attempts, again.data) == (2, {"link": LINK})


async def test_keeps_a_dead_letter_and_does_not_try_it(container: AsyncContainer, storage: Settings) -> None:
    await leave(container)
    (claimed,) = await claim(container)
    queue = await queue_of(container)

    assert await queue.mark_dead(claimed, error="no such user") is True

    letter = await the_letter(container)
    assert (letter.status, letter.last_error) == (LetterStatus.DEAD, "no such user")
    assert await is_sealed_away(container, storage, letter)
    assert await claim(container, now=NOW + timedelta(days=1)) == []


@pytest.mark.parametrize("mark", ["sent", "failed", "dead"])
async def test_the_owner_of_a_lease_that_another_has_since_can_note_nothing(
    container: AsyncContainer, mark: str
) -> None:
    await leave(container)
    (stopped,) = await claim(container)
    (successor,) = await claim(container, now=LATER)
    queue = await queue_of(container)

    match mark:
        case "sent":
            noted = await queue.mark_sent(stopped, now=LATER)
        case "failed":
            noted = await queue.mark_failed(stopped, error="late", next_attempt_at=LATER)
        case _:
            noted = await queue.mark_dead(stopped, error="late")

    assert noted is False
    letter = await the_letter(container)
    assert (letter.status, letter.last_error) == (LetterStatus.PENDING, None)
    assert await queue.mark_sent(successor, now=LATER) is True


async def test_notes_how_a_letter_fared_once(container: AsyncContainer) -> None:
    await leave(container)
    (claimed,) = await claim(container)
    queue = await queue_of(container)

    outcomes = await asyncio.gather(
        queue.mark_sent(claimed, now=NOW),
        queue.mark_sent(claimed, now=NOW),
        queue.mark_dead(claimed, error="x"),
    )

    assert outcomes.count(True) == 1


async def test_notes_nothing_of_a_letter_that_is_not_there(container: AsyncContainer) -> None:
    queue = await queue_of(container)
    await leave(container)
    (claimed,) = await claim(container)
    unknown = Letter(**{name: getattr(claimed, name) for name in Letter.__slots__} | {"id": an_unknown_letter()})

    assert await queue.mark_sent(unknown, now=NOW) is False


# --- retry


async def test_retries_a_dead_letter_as_if_it_were_new(container: AsyncContainer) -> None:
    await leave(container)
    (claimed,) = await claim(container)
    queue = await queue_of(container)
    await queue.mark_dead(claimed, error="no such user")

    assert await queue.retry(claimed.id, now=LATER) is True

    letter = await the_letter(container)
    assert (letter.status, letter.attempts, letter.next_attempt_at) == (LetterStatus.PENDING, 0, LATER)
    (again,) = await claim(container, now=LATER)
    assert (again.attempts, again.data) == (1, {"link": LINK})


async def test_a_retry_takes_the_letter_from_who_holds_it(container: AsyncContainer) -> None:
    await leave(container)
    (held,) = await claim(container)
    queue = await queue_of(container)

    await queue.retry(held.id, now=NOW)

    assert await queue.mark_sent(held, now=NOW) is False
    assert len(await claim(container)) == 1


async def test_retries_nothing_that_was_sent_or_is_not_there(container: AsyncContainer) -> None:
    await leave(container)
    (claimed,) = await claim(container)
    queue = await queue_of(container)
    await queue.mark_sent(claimed, now=NOW)

    assert await queue.retry(claimed.id, now=NOW) is False
    assert await queue.retry(an_unknown_letter(), now=NOW) is False
    assert (await the_letter(container)).status is LetterStatus.SENT


# --- showing them


async def test_shows_a_letter(container: AsyncContainer) -> None:
    await leave(container)
    letters: LetterQueries = await container.get(LetterQueries)
    letter = await the_letter(container)

    assert await letters.get(letter.id) == letter
    with pytest.raises(LetterNotFound):
        await letters.get(an_unknown_letter())


async def test_lists_letters_of_a_status_page_by_page(container: AsyncContainer) -> None:
    await leave(container, times=4)
    letters: LetterQueries = await container.get(LetterQueries)
    queue = await queue_of(container)
    first, *rest = await claim(container)
    await queue.mark_dead(first, error="x")
    order = Order(LetterSort.CREATED_AT)

    dead = await letters.page(LetterStatus.DEAD, order=order, limit=10, after=None)
    one = await letters.page(LetterStatus.PENDING, order=order, limit=2, after=None)
    two = await letters.page(LetterStatus.PENDING, order=order, limit=2, after=one.next)

    assert [letter.id for letter in dead.data] == [first.id]
    assert [letter.id for letter in (*one.data, *two.data)] == [letter.id for letter in rest]
    assert two.next is None

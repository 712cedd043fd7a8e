"""`Replies`: what was done once is done once, and is told again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from dishka import AsyncContainer

from application.auth.ports import Standings
from application.items.ports import EVERY_ITEM, ItemQueries, ItemRepository, ItemSort
from application.paging import Order
from application.ports import StandingChanges, UnitOfWork
from application.replies import (
    CLAIM_LEASE,
    REPLY_KEPT,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    Replies,
    Reply,
    ReplyKey,
)
from domain.users.errors import UserNotFound
from domain.users.user import User
from tests.builders import a_session, a_user, an_item
from tests.clock import FixedClock
from tests.units import a_unit, store

KEY = ReplyKey(caller="ann", route="POST /items", key="1")
PRINT = b"fingerprint"
REPLY = Reply(201, {"ETag": '"1"', "Location": "/items/ä"}, b'{"title":"Milk"}\x00\xff')
A_SECOND = timedelta(seconds=1)
EITHER_END = pytest.mark.parametrize("how", ["kept", "abandoned"])


@dataclass(frozen=True, slots=True)
class Request:
    """What a request with a key works with."""

    replies: Replies
    work: UnitOfWork
    items: ItemRepository
    standing_changes: StandingChanges


@asynccontextmanager
async def a_request(container: AsyncContainer) -> AsyncIterator[Request]:
    async with container() as scope:
        yield Request(
            await scope.get(Replies),
            await scope.get(UnitOfWork),
            await scope.get(ItemRepository),
            await scope.get(StandingChanges),
        )


@pytest.fixture
async def owner(container: AsyncContainer) -> User:
    owner = a_user()
    await store(container, owner)
    return owner


async def titles_of(container: AsyncContainer, owner: User) -> list[str]:
    items: ItemQueries = await container.get(ItemQueries)
    page = await items.page(owner.id, EVERY_ITEM, order=Order(ItemSort.TITLE), limit=100, after=None)
    return [item.title for item in page.data]


async def claim(container: AsyncContainer, key: ReplyKey = KEY, fingerprint: bytes = PRINT) -> Reply | None:
    async with a_request(container) as request:
        return await request.replies.claim(key, fingerprint, owner_id=None)


async def answer(container: AsyncContainer, owner: User | None = None, key: ReplyKey = KEY) -> None:
    """Claim the key and keep the reply."""
    async with a_request(container) as request:
        assert await request.replies.claim(key, PRINT, owner_id=owner.id if owner else None) is None
        await request.replies.keep(REPLY, owner_id=owner.id if owner else None)


async def test_a_reply_that_was_kept_is_told_again(container: AsyncContainer) -> None:
    await answer(container)

    assert await claim(container) == REPLY
    assert await claim(container) == REPLY


@pytest.mark.parametrize(
    "key",
    [
        ReplyKey("bob", KEY.route, KEY.key),
        ReplyKey(KEY.caller, "POST /items/batch", KEY.key),
        ReplyKey(KEY.caller, KEY.route, "2"),
        ReplyKey(KEY.caller + KEY.route, "", KEY.key),
    ],
)
async def test_another_caller_route_or_key_has_nothing_to_do_with_it(container: AsyncContainer, key: ReplyKey) -> None:
    await answer(container)

    assert await claim(container, key) is None


async def test_a_key_stands_for_one_fingerprint(container: AsyncContainer) -> None:
    other = ReplyKey("ann", "POST /items", "running")
    await answer(container)
    await claim(container, other)

    for key in (KEY, other):
        with pytest.raises(IdempotencyKeyReused):
            await claim(container, key, b"another")


async def test_what_was_committed_becomes_true_with_the_reply_and_not_before(
    container: AsyncContainer, owner: User
) -> None:
    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=None)
        await request.items.add(an_item(owner, title="Milk"))
        await request.work.commit()
        seen_before = await titles_of(container, owner)
        with pytest.raises(IdempotencyInProgress):
            # A writer that waits for its turn would wait for this unit.
            await asyncio.wait_for(_claim_or_wait(container), timeout=0.1)
        await request.replies.keep(REPLY, owner_id=None)

    assert seen_before == []
    assert await titles_of(container, owner) == ["Milk"]
    assert await claim(container) == REPLY


async def _claim_or_wait(container: AsyncContainer) -> None:
    try:
        await claim(container)
    except asyncio.CancelledError:
        raise IdempotencyInProgress from None


async def test_what_was_not_committed_never_happened_though_there_is_a_reply(
    container: AsyncContainer, owner: User
) -> None:
    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=None)
        await request.items.add(an_item(owner))
        await request.replies.keep(REPLY, owner_id=None)

    assert await titles_of(container, owner) == []
    assert await claim(container) == REPLY


async def test_what_was_abandoned_may_be_claimed_at_once(container: AsyncContainer, owner: User) -> None:
    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=None)
        await request.items.add(an_item(owner))
        await request.replies.abandon()

    assert await titles_of(container, owner) == []
    assert await claim(container, fingerprint=b"another") is None


async def test_what_was_committed_stays_though_the_request_was_abandoned(
    container: AsyncContainer, owner: User
) -> None:
    """A failed attempt is counted, and then refused."""
    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=None)
        await request.items.add(an_item(owner, title="Remembered"))
        await request.work.commit()
        await request.replies.abandon()

    assert await titles_of(container, owner) == ["Remembered"]
    assert await claim(container) is None


async def end(request: Request, how: str) -> None:
    """Keep the reply, or abandon the request."""
    await (request.replies.keep(REPLY, owner_id=None) if how == "kept" else request.replies.abandon())


@EITHER_END
@pytest.mark.parametrize("is_seen", [False, True], ids=["unseen", "seen"])
async def test_what_came_after_the_commit_never_happened(
    container: AsyncContainer, owner: User, how: str, *, is_seen: bool
) -> None:
    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=None)
        await request.items.add(an_item(owner, title="First"))
        await request.work.commit()
        await request.items.add(an_item(owner, title="Second"))
        await request.work.commit()
        third = an_item(owner, title="Third")
        await request.items.add(third)
        if is_seen:
            assert await request.items.get(owner.id, third.id) == third
        await request.items.add(an_item(owner, title="Fourth"))
        await end(request, how)

    assert await titles_of(container, owner) == ["First", "Second"]


async def test_what_was_committed_stays_though_what_came_after_it_failed(
    container: AsyncContainer, owner: User
) -> None:
    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=None)
        await request.items.add(an_item(owner, title="Remembered"))
        await request.work.commit()
        with pytest.raises(UserNotFound):
            await request.items.add_all([an_item(a_user())])
        await request.replies.abandon()

    assert await titles_of(container, owner) == ["Remembered"]
    assert await claim(container) is None


@EITHER_END
async def test_what_came_after_a_commit_of_nothing_never_happened(
    container: AsyncContainer, owner: User, how: str
) -> None:
    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=None)
        await request.work.commit()
        await request.items.add_all([an_item(owner)])
        await end(request, how)

    assert await titles_of(container, owner) == []


@EITHER_END
@pytest.mark.parametrize("when", ["never committed", "after the commit"])
async def test_a_change_of_standing_that_never_happened_is_not_announced(
    container: AsyncContainer, owner: User, how: str, when: str
) -> None:
    session = a_session(owner)
    await store(container, session)
    standings: Standings = await container.get(Standings)
    remembered = await standings.find(session.id)

    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=None)
        if when == "after the commit":
            await request.work.commit()
        await request.standing_changes.announce(owner.id)
        await end(request, how)

    assert await standings.find(session.id) is remembered


@EITHER_END
async def test_a_change_of_standing_is_announced_when_it_becomes_true(
    container: AsyncContainer, owner: User, how: str
) -> None:
    session = a_session(owner)
    await store(container, session)
    standings: Standings = await container.get(Standings)
    remembered = await standings.find(session.id)

    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=None)
        await request.standing_changes.announce(owner.id)
        await request.work.commit()
        before = await standings.find(session.id)
        await end(request, how)

    assert before is remembered
    assert await standings.find(session.id) is not remembered


async def test_a_request_that_died_holds_its_claim_for_the_lease(container: AsyncContainer, clock: FixedClock) -> None:
    await claim(container)

    clock.advance(CLAIM_LEASE - A_SECOND)
    with pytest.raises(IdempotencyInProgress):
        await claim(container)
    clock.advance(A_SECOND)
    assert await claim(container) is None


async def test_who_lost_the_claim_commits_nothing(container: AsyncContainer, clock: FixedClock, owner: User) -> None:
    async with a_request(container) as slow:
        await slow.replies.claim(KEY, PRINT, owner_id=None)
        clock.advance(CLAIM_LEASE)
        await answer(container)

        await slow.items.add(an_item(owner))
        await slow.work.commit()
        with pytest.raises(IdempotencyInProgress):
            await slow.replies.keep(Reply(500, {}, b""), owner_id=None)
        await slow.replies.abandon()

    assert await titles_of(container, owner) == []
    assert await claim(container) == REPLY


async def test_a_reply_is_forgotten_in_time(container: AsyncContainer, clock: FixedClock) -> None:
    await answer(container)

    clock.advance(REPLY_KEPT - A_SECOND)
    assert await claim(container) == REPLY
    clock.advance(A_SECOND)
    assert await claim(container, fingerprint=b"another") is None


@pytest.mark.parametrize("when", ["claimed", "kept"])
async def test_a_reply_goes_with_its_owner(container: AsyncContainer, owner: User, when: str) -> None:
    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=owner.id if when == "claimed" else None)
        await request.replies.keep(REPLY, owner_id=owner.id)

    async with a_unit(container) as unit:
        await unit.users.delete(await unit.users.get(owner.id))
        await unit.commit()

    assert await claim(container) is None


async def test_nobody_owns_a_reply_who_does_not_exist(container: AsyncContainer) -> None:
    async with a_request(container) as request:
        with pytest.raises(UserNotFound):
            await request.replies.claim(KEY, PRINT, owner_id=a_user().id)
    async with a_request(container) as request:
        await request.replies.claim(KEY, PRINT, owner_id=None)
        with pytest.raises(UserNotFound):
            await request.replies.keep(REPLY, owner_id=a_user().id)


async def test_of_many_at_once_one_gets_the_claim(container: AsyncContainer) -> None:
    outcomes = await asyncio.gather(*(claim(container) for _ in range(8)), return_exceptions=True)

    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, IdempotencyInProgress) for outcome in outcomes) == 7

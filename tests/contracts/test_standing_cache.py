"""`StandingCache`: `Standings` and `StandingMemory` over a source."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from application.auth import standing_cache
from application.auth.ports import Standing
from application.auth.standing_cache import StandingCache, StandingSource
from domain.access import Role
from domain.ids import SessionId, UserId
from tests.builders import A_MONTH_LATER, an_id
from tests.clock import NOW, FixedClock

KEEP = timedelta(seconds=5)
USER, OTHER = UserId(an_id()), UserId(an_id())
SESSION, SESSION_OF_OTHER = SessionId(an_id()), SessionId(an_id())


class Source(StandingSource):
    """Sessions of anybody, counted as they are asked for; an answer can be held up on its way."""

    def __init__(self) -> None:
        self.asked: list[SessionId] = []
        self.owners = {SESSION: USER, SESSION_OF_OTHER: OTHER}
        self.role = Role.ADMIN
        self.arrives = asyncio.Event()
        self.arrives.set()

    async def find(self, session_id: SessionId) -> Standing | None:
        self.asked.append(session_id)
        owner = self.owners.get(session_id)
        answer = None if owner is None else Standing(owner, self.role, True, None, A_MONTH_LATER)  # noqa: FBT003
        await self.arrives.wait()
        return answer


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cache(source: Source, clock: FixedClock) -> StandingCache:
    return StandingCache(source, clock, keep=KEEP)


async def test_answers_as_the_source_does(cache: StandingCache, source: Source) -> None:
    assert await cache.find(SESSION) == await source.find(SESSION)


async def test_asks_once_for_as_long_as_answers_are_kept(
    cache: StandingCache, source: Source, clock: FixedClock
) -> None:
    first = await cache.find(SESSION)
    clock.advance(KEEP - timedelta(microseconds=1))
    second = await cache.find(SESSION)
    clock.advance(timedelta(microseconds=1))
    await cache.find(SESSION)

    assert second is first
    assert source.asked == [SESSION, SESSION]


async def test_keeps_an_answer_from_when_it_was_asked_for(
    cache: StandingCache, source: Source, clock: FixedClock
) -> None:
    source.arrives.clear()
    asking = asyncio.create_task(cache.find(SESSION))
    await asyncio.sleep(0)
    clock.advance(timedelta(seconds=3))
    source.arrives.set()
    await asking

    clock.advance(timedelta(seconds=2))
    await cache.find(SESSION)

    assert len(source.asked) == 2


async def test_keeps_nothing_where_nothing_is_to_be_kept(source: Source, clock: FixedClock) -> None:
    cache = StandingCache(source, clock, keep=timedelta(0))

    await cache.find(SESSION)
    await cache.find(SESSION)

    assert len(source.asked) == 2


async def test_does_not_remember_that_there_is_no_session(cache: StandingCache, source: Source) -> None:
    new = SessionId(an_id())

    assert await cache.find(new) is None
    source.owners[new] = USER

    assert await cache.find(new) is not None


async def test_forgets_all_sessions_of_a_user_and_no_others(cache: StandingCache, source: Source) -> None:
    second = SessionId(an_id())
    source.owners[second] = USER
    for session in (SESSION, second, SESSION_OF_OTHER):
        await cache.find(session)
    source.asked.clear()

    cache.forget(USER)
    for session in (SESSION, second, SESSION_OF_OTHER):
        await cache.find(session)

    assert source.asked == [SESSION, second]


async def test_forgets_quietly_whom_it_does_not_know(cache: StandingCache) -> None:
    cache.forget(USER)
    cache.forget_all()


async def test_forgets_everybody(cache: StandingCache, source: Source) -> None:
    await cache.find(SESSION)
    await cache.find(SESSION_OF_OTHER)

    cache.forget_all()
    await cache.find(SESSION)
    await cache.find(SESSION_OF_OTHER)

    assert len(source.asked) == 4


@pytest.mark.parametrize("everybody", [False, True])
async def test_does_not_keep_an_answer_that_was_on_its_way_when_its_user_was_forgotten(
    cache: StandingCache, source: Source, everybody: bool
) -> None:
    source.arrives.clear()
    asking = asyncio.create_task(cache.find(SESSION))
    await asyncio.sleep(0)
    source.role = Role.MEMBER
    if everybody:
        cache.forget_all()
    else:
        cache.forget(USER)
    source.arrives.set()
    await asking

    standing = await cache.find(SESSION)

    assert standing is not None
    assert standing.role is Role.MEMBER


async def test_keeps_an_answer_that_was_on_its_way_when_another_user_was_forgotten(
    cache: StandingCache, source: Source
) -> None:
    source.arrives.clear()
    asking = asyncio.create_task(cache.find(SESSION))
    await asyncio.sleep(0)
    cache.forget(OTHER)
    source.arrives.set()
    await asking

    await cache.find(SESSION)

    assert len(source.asked) == 1


async def test_keeps_what_was_asked_for_after_its_user_was_forgotten(cache: StandingCache, source: Source) -> None:
    cache.forget(USER)

    await cache.find(SESSION)
    await cache.find(SESSION)

    assert len(source.asked) == 1


async def test_remembers_so_many_sessions_and_drops_the_oldest(
    cache: StandingCache, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_cache, "_MOST_SESSIONS", 3)
    sessions = [SessionId(an_id()) for _ in range(4)]
    source.owners |= dict.fromkeys(sessions, USER)

    for session in (*sessions, *sessions[1:], sessions[0]):
        await cache.find(session)

    assert source.asked == [*sessions, sessions[0]]


async def test_takes_answers_on_their_way_for_older_than_changes_it_no_longer_knows(
    cache: StandingCache, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_cache, "_MOST_FORGOTTEN", 1)
    source.arrives.clear()
    asking = asyncio.create_task(cache.find(SESSION))
    await asyncio.sleep(0)
    cache.forget(USER)
    cache.forget(OTHER)
    source.arrives.set()
    await asking

    await cache.find(SESSION)

    assert len(source.asked) == 2


async def test_holds_nothing_of_whom_it_has_forgotten(cache: StandingCache, source: Source, clock: FixedClock) -> None:
    sessions = [SessionId(UUID(int=number + 1)) for number in range(100)]
    source.owners |= dict.fromkeys(sessions, USER)
    for session in sessions:
        await cache.find(session)

    clock.advance(KEEP)
    source.owners.clear()
    for session in sessions:
        await cache.find(session)

    assert (len(cache._sessions), len(cache._sessions_of)) == (0, 0)  # noqa: SLF001 - memory shows nowhere else


async def test_lives_by_the_clock_it_was_given(cache: StandingCache, source: Source, clock: FixedClock) -> None:
    assert clock.now() == NOW

    clock.advance(timedelta(days=-1))
    await cache.find(SESSION)
    clock.advance(KEEP)
    await cache.find(SESSION)

    assert len(source.asked) == 2

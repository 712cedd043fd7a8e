"""`ApiKeyCache`, `StandingMemories` and `ApiKeyUseLog`: few look-ups, fewer writes, nothing older than a change."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from application.auth import api_key_cache
from application.auth.api_key_cache import (
    USE_RECORDED_EVERY,
    ApiKeyCache,
    ApiKeyStandingSource,
    ApiKeyUseLog,
    StandingMemories,
)
from application.auth.api_key_ports import ApiKeyStanding, ApiKeyUses
from domain.access import Role, Scope
from domain.errors import Unavailable
from domain.ids import ApiKeyId, UserId
from tests.builders import an_id
from tests.clock import NOW, FixedClock

KEEP = timedelta(seconds=5)
A_MICROSECOND = timedelta(microseconds=1)


def a_standing(*, last_used_at: datetime | None = None) -> ApiKeyStanding:
    return ApiKeyStanding(
        key_id=ApiKeyId(an_id()),
        owner_id=UserId(an_id()),
        role=Role.MEMBER,
        is_active=True,
        scopes=(Scope.ITEMS_READ,),
        expires_at=NOW + timedelta(days=30),
        revoked_at=None,
        last_used_at=last_used_at,
    )


class Source(ApiKeyStandingSource):
    """Answers from a dictionary, when it is let; counts how often it is asked."""

    def __init__(self) -> None:
        self.standings: dict[bytes, ApiKeyStanding] = {}
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def put(self, standing: ApiKeyStanding) -> bytes:
        self.standings[standing.key_id.bytes] = standing
        return standing.key_id.bytes

    async def find(self, digest: bytes) -> ApiKeyStanding | None:
        self.asked += 1
        found = self.standings.get(digest)
        await self.may_answer.wait()
        return found


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cache(source: Source, clock: FixedClock) -> ApiKeyCache:
    return ApiKeyCache(source, clock, KEEP)


async def test_remembers_a_key_for_its_time(cache: ApiKeyCache, source: Source, clock: FixedClock) -> None:
    standing = a_standing()
    digest = source.put(standing)

    assert await cache.find(digest) == standing
    clock.advance(KEEP - A_MICROSECOND)
    assert await cache.find(digest) == standing
    asked_within = source.asked
    clock.advance(A_MICROSECOND)
    await cache.find(digest)

    assert (asked_within, source.asked) == (1, 2)


async def test_remembers_nothing_when_told_to_keep_nothing(source: Source, clock: FixedClock) -> None:
    digest = source.put(a_standing())
    cache = ApiKeyCache(source, clock, timedelta())

    await cache.find(digest)
    await cache.find(digest)

    assert source.asked == 2


async def test_does_not_remember_that_there_is_no_key(cache: ApiKeyCache, source: Source) -> None:
    standing = a_standing()

    assert await cache.find(standing.key_id.bytes) is None
    source.put(standing)
    assert await cache.find(standing.key_id.bytes) == standing


async def test_forgets_all_keys_of_a_user_and_no_others(cache: ApiKeyCache, source: Source) -> None:
    first = a_standing()
    mine = [source.put(first), source.put(replace(a_standing(), owner_id=first.owner_id))]
    other = source.put(a_standing())
    for digest in (*mine, other):
        await cache.find(digest)

    cache.forget(first.owner_id)
    for digest in (*mine, other):
        await cache.find(digest)

    assert source.asked == 5


async def test_forgets_everybody(cache: ApiKeyCache, source: Source) -> None:
    digest = source.put(a_standing())
    await cache.find(digest)

    cache.forget_all()
    await cache.find(digest)

    assert source.asked == 2


@pytest.mark.parametrize("everybody", [False, True])
async def test_does_not_keep_what_was_on_its_way_when_it_was_forgotten(
    cache: ApiKeyCache, source: Source, everybody: bool
) -> None:
    standing = a_standing()
    digest = source.put(standing)
    source.may_answer.clear()
    looking = asyncio.create_task(cache.find(digest))
    await asyncio.sleep(0)

    cache.forget_all() if everybody else cache.forget(standing.owner_id)
    source.may_answer.set()

    assert await looking == standing
    await cache.find(digest)
    assert source.asked == 2


async def test_remembers_a_bounded_number_of_keys(
    cache: ApiKeyCache, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_key_cache, "_MOST_KEYS", 2)
    digests = [source.put(a_standing()) for _ in range(3)]

    for digest in (*digests, digests[2], digests[1], digests[0]):
        await cache.find(digest)

    assert source.asked == 4


def test_what_is_forgotten_is_forgotten_everywhere() -> None:
    heard: list[object] = []

    class Memory(ApiKeyCache):
        def forget(self, user_id: UserId) -> None:
            heard.append(user_id)

        def forget_all(self) -> None:
            heard.append("everybody")

    user_id = UserId(an_id())
    memories = StandingMemories(*(Memory(Source(), FixedClock(), KEEP) for _ in range(2)))

    memories.forget(user_id)
    memories.forget_all()

    assert heard == [user_id, user_id, "everybody", "everybody"]


# --- uses


class Uses(ApiKeyUses):
    """Keeps what was recorded; may be out of order."""

    def __init__(self) -> None:
        self.recorded: list[tuple[ApiKeyId, datetime, datetime]] = []
        self.works = True

    async def record(self, key_id: ApiKeyId, *, now: datetime, unless_since: datetime) -> None:
        if not self.works:
            raise Unavailable
        self.recorded.append((key_id, now, unless_since))


@pytest.fixture
def uses() -> Uses:
    return Uses()


@pytest.fixture
def log(uses: Uses, clock: FixedClock) -> ApiKeyUseLog:
    return ApiKeyUseLog(uses, clock)


async def test_writes_one_use_a_minute(log: ApiKeyUseLog, uses: Uses, clock: FixedClock) -> None:
    standing = a_standing()

    for _ in range(3):
        log.note(standing)
        clock.advance(USE_RECORDED_EVERY / 2)
    await log.close()

    written = [at for _, at, _ in uses.recorded]
    assert written == [NOW, NOW + USE_RECORDED_EVERY]
    assert uses.recorded[0] == (standing.key_id, NOW, NOW - USE_RECORDED_EVERY)


async def test_writes_a_use_of_each_key(log: ApiKeyUseLog, uses: Uses) -> None:
    log.note(a_standing())
    log.note(a_standing())
    await log.close()

    assert len(uses.recorded) == 2


@pytest.mark.parametrize(("ago", "writes"), [(USE_RECORDED_EVERY - A_MICROSECOND, 0), (USE_RECORDED_EVERY, 1)])
async def test_writes_nothing_that_another_process_has_written(
    log: ApiKeyUseLog, uses: Uses, ago: timedelta, writes: int
) -> None:
    log.note(a_standing(last_used_at=NOW - ago))
    await log.close()

    assert len(uses.recorded) == writes


async def test_no_request_waits_for_the_write_or_fails_with_it(
    log: ApiKeyUseLog, uses: Uses, clock: FixedClock
) -> None:
    standing = a_standing()
    uses.works = False

    log.note(standing)
    await log.close()
    uses.works = True
    clock.advance(USE_RECORDED_EVERY)
    log.note(standing)
    written_at_once = list(uses.recorded)
    await log.close()

    assert (written_at_once, len(uses.recorded)) == ([], 1)


async def test_notes_a_bounded_number_of_keys(log: ApiKeyUseLog, uses: Uses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_key_cache, "_MOST_KEYS", 1)
    first, second = a_standing(), a_standing()

    for standing in (first, second, first):
        log.note(standing)
    await log.close()

    assert len(uses.recorded) == 3


async def test_closes_when_nothing_was_noted(log: ApiKeyUseLog) -> None:
    await log.close()

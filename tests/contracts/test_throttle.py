"""`Throttle`: a burst at once, then one each interval, counted across processes, and durably."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from dishka import AsyncContainer

from adapters.throttle import NullThrottle
from application.ports import Throttle
from application.throttling import ThrottleRule
from application.users.ports import UserRepository
from domain.errors import Limited
from entrypoints.settings import Settings
from tests.builders import a_user
from tests.clock import FixedClock
from tests.containers import Override, Overrides, container_for

RULE = ThrottleRule("test", burst=3, interval=timedelta(seconds=20))
OTHER_RULE = ThrottleRule("other", burst=3, interval=timedelta(seconds=20))


@pytest.fixture
async def throttle(container: AsyncContainer) -> Throttle:
    throttle: Throttle = await container.get(Throttle)
    return throttle


async def passes(throttle: Throttle, subject: str = "somebody", rule: ThrottleRule = RULE) -> bool:
    try:
        await throttle.take(rule, subject)
    except Limited:
        return False
    return True


async def use_up(throttle: Throttle, subject: str = "somebody") -> None:
    while await passes(throttle, subject):
        pass


async def test_lets_a_burst_pass_and_no_more(throttle: Throttle) -> None:
    assert [await passes(throttle) for _ in range(5)] == [True, True, True, False, False]


async def test_lets_one_more_pass_after_each_interval(throttle: Throttle, clock: FixedClock) -> None:
    await use_up(throttle)

    clock.advance(RULE.interval - timedelta(microseconds=1))
    early = await passes(throttle)
    clock.advance(timedelta(microseconds=1))

    assert not early
    assert [await passes(throttle) for _ in range(2)] == [True, False]


async def test_saves_up_no_more_than_a_burst(throttle: Throttle, clock: FixedClock) -> None:
    await use_up(throttle)

    clock.advance(timedelta(days=1))

    assert [await passes(throttle) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(("waited", "left"), [(0, 20), (0.5, 20), (1, 19), (19.5, 1)])
async def test_says_in_whole_seconds_how_long_to_wait(
    throttle: Throttle, clock: FixedClock, waited: float, left: int
) -> None:
    await use_up(throttle)
    clock.advance(timedelta(seconds=waited))

    with pytest.raises(Limited) as refused:
        await throttle.take(RULE, "somebody")

    assert refused.value.retry_after == left
    clock.advance(timedelta(seconds=left))
    assert await passes(throttle)


async def test_a_refused_try_costs_nothing_further(throttle: Throttle, clock: FixedClock) -> None:
    for _ in range(50):
        await passes(throttle)

    clock.advance(RULE.interval)

    assert await passes(throttle)


async def test_counts_each_subject_and_each_rule_by_itself(throttle: Throttle) -> None:
    await use_up(throttle)

    assert await passes(throttle, "somebody else")
    assert await passes(throttle, rule=OTHER_RULE)


async def test_takes_any_text_for_a_subject(throttle: Throttle) -> None:
    for subject in ("", "\ud800", "\x00", "é" * 10_000):
        await use_up(throttle, subject)

        assert not await passes(throttle, subject)


async def test_a_clock_that_goes_back_locks_nobody_out_for_good(throttle: Throttle, clock: FixedClock) -> None:
    await use_up(throttle)

    clock.advance(timedelta(seconds=-5))

    with pytest.raises(Limited) as refused:
        await throttle.take(RULE, "somebody")
    assert refused.value.retry_after == 25


async def test_of_a_hundred_at_once_exactly_a_burst_passes(throttle: Throttle) -> None:
    passed = await asyncio.gather(*(passes(throttle) for _ in range(100)))

    assert sum(passed) == RULE.burst


async def test_what_was_counted_stays_counted_whatever_becomes_of_the_unit(
    container: AsyncContainer, throttle: Throttle
) -> None:
    async with container() as scope:
        await use_up(throttle)
        await (await scope.get(UserRepository)).add(a_user())

    assert not await passes(throttle)


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_survives_a_restart(storage: Settings, clock: FixedClock) -> None:
    before = container_for(storage, Overrides(clock))
    await use_up(await before.get(Throttle))
    await before.close()

    after = container_for(storage, Overrides(clock))

    assert not await passes(await after.get(Throttle))
    await after.close()


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_processes_count_together(storage: Settings, throttle: Throttle, clock: FixedClock) -> None:
    other_process = container_for(storage, Overrides(clock))
    there: Throttle = await other_process.get(Throttle)

    passed = await asyncio.gather(*(passes(one) for one in (throttle, there) for _ in range(20)))

    assert sum(passed) == RULE.burst
    await other_process.close()


# --- give_back


async def test_a_try_that_is_given_back_was_not_counted(throttle: Throttle) -> None:
    await use_up(throttle)

    await throttle.give_back(RULE, "somebody")

    assert [await passes(throttle) for _ in range(2)] == [True, False]


async def test_giving_back_never_makes_more_than_a_burst(throttle: Throttle) -> None:
    await throttle.give_back(RULE, "nobody yet")
    await passes(throttle)
    for _ in range(10):
        await throttle.give_back(RULE, "somebody")

    for subject in ("somebody", "nobody yet"):
        assert [await passes(throttle, subject) for _ in range(4)] == [True, True, True, False]


async def test_giving_back_is_for_one_subject_and_rule(throttle: Throttle) -> None:
    await use_up(throttle)

    await throttle.give_back(RULE, "somebody else")
    await throttle.give_back(OTHER_RULE, "somebody")

    assert not await passes(throttle)


# --- off


@pytest.mark.parametrize("storage", ["memory", "sqlite"], indirect=True)
async def test_counts_nothing_when_it_is_off(storage: Settings, overrides: tuple[Override, ...]) -> None:
    container = container_for(replace(storage, throttle=False), *overrides)
    throttle: Throttle = await container.get(Throttle)

    assert isinstance(throttle, NullThrottle)
    assert all([await passes(throttle) for _ in range(10)])
    await throttle.give_back(RULE, "somebody")
    await container.close()

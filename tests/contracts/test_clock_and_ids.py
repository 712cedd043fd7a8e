"""`Clock` and `NewId`."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import RFC_4122, UUID

from adapters.clock import SystemClock
from adapters.ids import UuidV7


def test_tells_the_present_moment_in_utc() -> None:
    before = datetime.now(UTC)

    now = SystemClock().now()

    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)


def test_tells_the_time_to_the_microsecond() -> None:
    clock = SystemClock()

    assert any(clock.now().microsecond % 1000 for _ in range(100))


def test_an_id_is_a_uuid_of_version_7_that_tells_when_it_was_made() -> None:
    before = datetime.now(UTC)

    new = UuidV7()()

    made_at = datetime.fromtimestamp((new.int >> 80) / 1000, UTC)
    assert type(new) is UUID
    assert (new.version, new.variant) == (7, RFC_4122)
    assert abs(made_at - before) < timedelta(seconds=1)


def test_each_id_is_greater_than_those_before_it() -> None:
    new_id = UuidV7()

    made = [new_id() for _ in range(50_000)]

    assert all(earlier < later for earlier, later in pairwise(made))


def test_ids_made_in_parallel_are_all_different() -> None:
    new_id = UuidV7()

    with ThreadPoolExecutor(4) as threads:
        made = [made for some in threads.map(lambda _: [new_id() for _ in range(5_000)], range(4)) for made in some]

    assert len(set(made)) == 20_000

"""How statements share connections."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import asyncpg
import pytest
import sqlalchemy as sa

from adapters.sql.engines import POOL_SIZE, Engines, make_engines
from adapters.sql.lane import Lane
from adapters.sql.pool import STUCK, Pool
from adapters.sql.unit_of_work import SqlUnitOfWork
from tests.engines import on_connect

LONG = sa.text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000) SELECT count(*) FROM n"
)
SHORT = sa.text("SELECT 1")


ADD = sa.text("INSERT INTO throttles (key, free_at) VALUES (:key, 0)")
KEYS = sa.text("SELECT key FROM throttles")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Provide a database of one's own."""
    copy = request.getfixturevalue(f"{request.param}_copy")
    return f"sqlite:///{copy}" if request.param == "sqlite" else str(copy)


@pytest.fixture
async def engines(url: str) -> AsyncIterator[Engines]:
    engines = make_engines(url)
    yield engines
    await engines.dispose()


async def add_in_a_unit(engines: Engines, key: str) -> None:
    unit = SqlUnitOfWork(engines.write)
    try:
        await unit.execute(ADD, {"key": key})
        await unit.commit()
    finally:
        await unit.close()


async def keys_in(engines: Engines) -> set[str]:
    return {row[0] for row in (await engines.read.run(KEYS, {})).rows}


async def take_all(pool: Pool) -> int:
    """Return how many connections the pool lends at once."""
    lanes = []
    while not pool._free.locked():  # noqa: SLF001 - shows nowhere else
        lanes.append(await pool.take())
    for lane in lanes:
        pool.give_back(lane)
    return len(lanes)


@pytest.fixture
async def sqlite(sqlite_copy: Path) -> AsyncIterator[Engines]:
    engines = make_engines(f"sqlite:///{sqlite_copy}")
    yield engines
    await engines.dispose()


async def test_short_statements_of_many_share_a_connection(sqlite: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.sql.pool.STUCK", 3600)
    opened = 0

    async def count(_: object) -> None:
        nonlocal opened
        opened += 1

    on_connect(sqlite.read, count)
    await sqlite.read.run(SHORT, {})

    results = await asyncio.gather(*(sqlite.read.run(SHORT, {}) for _ in range(100)))

    assert [result.value() for result in results] == [1] * 100
    assert opened == 1


async def test_nobody_waits_behind_a_long_statement(sqlite: Engines) -> None:
    slow = asyncio.create_task(sqlite.read.run(LONG, {}))
    await asyncio.sleep(10 * STUCK)

    await sqlite.read.run(SHORT, {})

    assert not slow.done()
    await slow


async def test_a_search_that_nobody_waits_for_any_more_is_broken_off(
    sqlite_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty of these take some seconds, and who came with them waits behind them for a bounded time only."""
    monkeypatch.setattr("adapters.sql.engines.COMMAND_TIMEOUT", 0.3)
    engines = make_engines(f"sqlite:///{sqlite_copy}")
    async with asyncio.timeout(2.5):
        outcomes = await asyncio.gather(*(engines.read.run(LONG, {}) for _ in range(30)), return_exceptions=True)

        assert any(isinstance(outcome, TimeoutError) for outcome in outcomes)
        assert (await engines.read.run(SHORT, {})).value() == 1
        await engines.dispose()


async def test_a_file_is_whole_once_all_is_closed(sqlite_copy: Path) -> None:
    engines = make_engines(f"sqlite:///{sqlite_copy}")
    await add_in_a_unit(engines, "kept")
    assert await keys_in(engines) == {"kept"}

    await engines.dispose()

    assert not sqlite_copy.with_name(f"{sqlite_copy.name}-wal").exists()


async def test_a_transaction_gets_its_turn_among_statements_without_end(
    sqlite: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.sql.pool.STUCK", 3600)
    ended = False

    async def go_on() -> None:
        while not ended:
            await sqlite.write.run(SHORT, {})

    others = [asyncio.create_task(go_on()) for _ in range(8)]
    await asyncio.sleep(0.01)
    for _ in range(20):
        lane = await sqlite.write.take()
        await lane.begin()
        await asyncio.sleep(0)
        await lane.roll_back()
        sqlite.write.give_back(lane)
    ended = True
    await asyncio.gather(*others)


async def test_no_statement_gets_into_the_transaction_of_another(sqlite: Engines) -> None:
    lane = await sqlite.write.take()
    await lane.begin()
    outside = asyncio.create_task(sqlite.write.run(ADD, {"key": "outside"}))
    await lane.run(ADD, {"key": "inside"})
    await lane.roll_back()
    sqlite.write.give_back(lane)
    await outside

    assert await keys_in(sqlite) == {"outside"}


# --- whoever leaves in the middle


async def test_what_was_acknowledged_is_there_whoever_was_cancelled_meanwhile(engines: Engines) -> None:
    size = await take_all(engines.write)
    acknowledged = {f"key {number}" for number in range(100)}

    for number, key in enumerate(sorted(acknowledged)):
        leaving = asyncio.create_task(add_in_a_unit(engines, f"left {number}"))
        for _ in range(number % 4):
            await asyncio.sleep(0)
        if number % 3 == 0:
            time.sleep(0.002)  # noqa: ASYNC251 - the answer comes while the loop is busy
        leaving.cancel()
        acknowledging = asyncio.create_task(engines.write.run(ADD, {"key": key}))
        await asyncio.gather(leaving, return_exceptions=True)
        await acknowledging

    assert acknowledged <= await keys_in(engines)
    assert await take_all(engines.write) == size


async def test_a_transaction_whose_beginner_left_swallows_nothing(sqlite: Engines, sqlite_copy: Path) -> None:
    other = sqlite3.connect(sqlite_copy, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    leaving = asyncio.create_task(add_in_a_unit(sqlite, "left"))
    await asyncio.sleep(0.05)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)

    acknowledging = asyncio.create_task(sqlite.write.run(ADD, {"key": "acknowledged"}))
    await asyncio.sleep(0.05)
    other.execute("COMMIT")
    await acknowledging

    assert other.execute("SELECT key FROM throttles").fetchall() == [("acknowledged",)]
    other.close()


async def test_whoever_leaves_during_a_commit_is_told_nothing_else(engines: Engines) -> None:
    for number in range(30):
        leaving = asyncio.create_task(add_in_a_unit(engines, f"left {number}"))
        await asyncio.sleep(number / 10_000)
        leaving.cancel()
        (outcome,) = await asyncio.gather(leaving, return_exceptions=True)
        assert outcome is None or isinstance(outcome, asyncio.CancelledError)


async def test_never_makes_more_connections_than_it_may_have_whoever_leaves_meanwhile(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = Pool._connected  # noqa: SLF001 - shows nowhere else
    begun, ended = 0, 0

    async def slowly(pool: Pool) -> Lane:
        nonlocal begun, ended
        begun += 1
        await asyncio.sleep(0.05)
        lane = await connected(pool)
        ended += 1
        return lane

    monkeypatch.setattr(Pool, "_connected", slowly)
    for _ in range(2):
        leaving = [asyncio.create_task(engines.write.take()) for _ in range(POOL_SIZE)]
        await asyncio.sleep(0.01)
        for each in leaving:
            each.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)

    made = begun
    assert ended == 0
    await engines.dispose()
    assert ended == made
    assert await take_all(engines.write) == made


async def test_nobody_waits_for_an_old_connection_to_close(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    closes = asyncio.Event()

    async def close(driver: aiosqlite.Connection, *, is_abandoned: bool) -> None:
        assert not is_abandoned
        await closes.wait()
        await driver.close()

    monkeypatch.setattr("adapters.sql.pool._close", close)
    monkeypatch.setattr("adapters.sql.pool.OLDEST", -1.0)
    for _ in range(3):
        async with asyncio.timeout(5):
            await engines.write.run(SHORT, {})
    closes.set()


async def test_does_not_ask_a_server_that_keeps_silent_whether_it_may_go(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def say_goodbye(connection: "asyncpg.Connection[asyncpg.Record]", **_: object) -> None:
        if not connection.is_closed():
            await asyncio.sleep(60)

    monkeypatch.setattr(asyncpg.Connection, "close", say_goodbye)
    async with asyncio.TaskGroup() as at_once:
        for _ in range(3):
            at_once.create_task(engines.write.run(SHORT, {}))

    async with asyncio.timeout(5):
        await engines.dispose()

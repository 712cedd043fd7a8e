"""How statements share connections."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.sql.engines import Engines, make_engines
from adapters.sql.pool import STUCK

LONG = sa.text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"
)
SHORT = sa.text("SELECT 1")


@pytest.fixture
async def sqlite(sqlite_copy: Path) -> AsyncIterator[Engines]:
    engines = make_engines(f"sqlite:///{sqlite_copy}")
    yield engines
    await engines.dispose()


async def test_short_statements_of_many_share_a_connection(sqlite: Engines) -> None:
    opened = 0

    def count(*_: object) -> None:
        nonlocal opened
        opened += 1

    sa.event.listen(sqlite.read.engine.sync_engine, "connect", count)
    await sqlite.read.run(SHORT, {})

    results = await asyncio.gather(*(sqlite.read.run(SHORT, {}) for _ in range(100)))

    assert [result.value() for result in results] == [1] * 100
    assert opened == 1


async def test_nobody_waits_behind_a_long_statement(sqlite: Engines) -> None:
    slow = asyncio.create_task(sqlite.read.run(LONG, {}))
    await asyncio.sleep(10 * STUCK)

    began = time.perf_counter()
    await sqlite.read.run(SHORT, {})
    waited = time.perf_counter() - began

    assert not slow.done()
    assert waited < 1
    await slow


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
    add = sa.text("INSERT INTO throttles (key, free_at) VALUES (:key, 0)")

    lane = await sqlite.write.take()
    await lane.begin()
    outside = asyncio.create_task(sqlite.write.run(add, {"key": "outside"}))
    await lane.run(add, {"key": "inside"})
    await lane.roll_back()
    sqlite.write.give_back(lane)
    await outside

    kept = await sqlite.read.run(sa.text("SELECT key FROM throttles"), {})
    assert [tuple(row) for row in kept.rows] == [("outside",)]

"""How connections are made."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.sql.engines import Engines, make_engines
from adapters.sql.items import SqlItemRepository
from adapters.sql.migrations import make_migration_engine
from adapters.sql.pool import Pool
from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import SqlUserRepository
from domain.items.item import Item
from domain.users.errors import UserNotFound
from domain.users.user import User
from tests.builders import a_user, an_item
from tests.engines import engine_on


@pytest.fixture
async def sqlite(sqlite_copy: Path) -> AsyncIterator[Engines]:
    engines = make_engines(f"sqlite:///{sqlite_copy}")
    yield engines
    await engines.dispose()


async def ask(pool: Pool, sql: str) -> object:
    return (await pool.run(sa.text(sql), {})).value()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
async def test_speaks_to_postgresql_by_any_of_its_names(postgresql_spare: str, scheme: str) -> None:
    engines = make_engines(postgresql_spare.replace("postgresql", scheme, 1))

    assert await ask(engines.write, "SELECT 1") == await ask(engines.read, "SELECT 1") == 1
    await engines.dispose()


async def test_reads_elsewhere_where_there_is_a_replica(postgresql_spare: str, postgresql_blank: str) -> None:
    engines = make_engines(postgresql_spare, read_url=postgresql_blank)

    written_to = await ask(engines.write, "SELECT current_database()")
    read_from = await ask(engines.read, "SELECT current_database()")

    assert str(postgresql_spare).find(str(written_to)) > 0
    assert str(postgresql_blank).find(str(read_from)) > 0
    await engines.dispose()


async def test_reads_without_a_transaction(postgresql_spare: str) -> None:
    engines = make_engines(postgresql_spare)
    now = sa.select(sa.func.now())

    lane = await engines.read.take()
    first, second = [(await lane.run(now, {})).value() for _ in range(2)]
    engines.read.give_back(lane)
    await engines.dispose()

    assert first < second


async def test_writes_on_after_a_refusal_while_others_write_too(sqlite: Engines, sqlite_copy: Path) -> None:
    others = make_engines(f"sqlite:///{sqlite_copy}")
    of_nobody, user = an_item(a_user()), a_user()

    async def add(engines: Engines, user: User | None, item: Item | None) -> None:
        unit = SqlUnitOfWork(engines.write)
        try:
            if user is not None:
                await SqlUserRepository(unit).add(user)
            if item is not None:
                await SqlItemRepository(unit).add(item)
            await unit.commit()
        finally:
            await unit.close()

    with pytest.raises(UserNotFound):
        await add(sqlite, None, of_nobody)
    await add(others, user, None)
    await add(sqlite, None, an_item(user))
    await others.dispose()


async def test_a_migration_may_take_as_long_as_it_takes(postgresql_spare: str) -> None:
    engine = make_migration_engine(postgresql_spare)

    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        assert raw.driver_connection._config.command_timeout is None  # noqa: SLF001 - shows nowhere else
    await engine.dispose()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("busy_timeout", 5000),
        ("foreign_keys", 1),
        ("journal_size_limit", 67_108_864),
    ],
)
async def test_keeps_every_acknowledged_write_and_every_reference(sqlite: Engines, pragma: str, value: object) -> None:
    assert await ask(sqlite.write, f"PRAGMA {pragma}") == value
    assert await ask(sqlite.read, f"PRAGMA {pragma}") == value


@pytest.mark.parametrize(("pragma", "value"), [("trusted_schema", 0), ("query_only", 1)])
async def test_reads_a_file_without_trust_and_without_writing(sqlite: Engines, pragma: str, value: int) -> None:
    assert await ask(sqlite.read, f"PRAGMA {pragma}") == value


async def test_changes_the_schema_of_a_file_without_following_references(sqlite_copy: Path) -> None:
    engine = make_migration_engine(f"sqlite:///{sqlite_copy}")

    async with engine.connect() as connection:
        assert (await connection.execute(sa.text("PRAGMA foreign_keys"))).scalar_one() == 0
    await engine.dispose()


async def test_writers_wait_for_their_turn_and_lose_nothing(sqlite: Engines) -> None:
    async with engine_on(sqlite.write).begin() as connection:
        await connection.execute(sa.text("CREATE TABLE counter (value INTEGER)"))
        await connection.execute(sa.text("INSERT INTO counter VALUES (0)"))

    async def count_one() -> None:
        async with engine_on(sqlite.write).begin() as connection:
            value = (await connection.execute(sa.text("SELECT value FROM counter"))).scalar_one()
            await asyncio.sleep(0)
            await connection.execute(sa.text("UPDATE counter SET value = :value"), {"value": value + 1})

    await asyncio.gather(*(count_one() for _ in range(30)))

    assert await ask(sqlite.read, "SELECT value FROM counter") == 30


async def test_readers_of_a_file_see_what_was_committed_while_it_is_written(sqlite: Engines) -> None:
    async with engine_on(sqlite.write).begin() as connection:
        await connection.execute(sa.text("CREATE TABLE notes (text TEXT)"))

    async with engine_on(sqlite.write).begin() as connection:
        await connection.execute(sa.text("INSERT INTO notes VALUES ('draft')"))
        counts = await asyncio.gather(*(ask(sqlite.read, "SELECT count(*) FROM notes") for _ in range(8)))

    assert counts == [0] * 8
    assert await ask(sqlite.read, "SELECT count(*) FROM notes") == 1


@pytest.mark.sqlite
async def test_a_file_has_the_name_that_it_is_given(tmp_path: Path) -> None:
    """What means something in a URL means nothing in a name."""
    engines = make_engines(f"sqlite:///{tmp_path}/a%20b?c#d.db")
    async with engine_on(engines.write).begin() as connection:
        await connection.execute(sa.text("CREATE TABLE t (i)"))
    await engines.dispose()

    assert (tmp_path / "a%20b?c#d.db").exists()

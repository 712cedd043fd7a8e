"""What databases and drivers raise, as the domain's errors: on the real things wherever those can be made to fail."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa

from adapters.sql import migrations
from adapters.sql.base import metadata
from adapters.sql.engines import POOL_SIZE, Engines, make_engines
from adapters.sql.errors import CONSTRAINT_ERRORS, translated
from adapters.sql.keyring import SqlSigningKeyStore
from adapters.sql.reads import Reads
from adapters.sql.revisions import current_revision
from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import SqlUserQueries, SqlUserRepository
from domain.errors import Unavailable
from domain.users.email import parse_email
from domain.users.errors import UserNotFound
from tests.builders import a_signing_key, a_user
from tests.clock import NOW
from tests.engines import engine_on, on_connect

NOBODY = parse_email("nobody@example.org")


@pytest.fixture
async def engines(postgresql_spare: str) -> AsyncIterator[Engines]:
    """PostgreSQL, with nobody else on it."""
    engines = make_engines(postgresql_spare)
    yield engines
    await engines.dispose()


@pytest.fixture
async def sqlite(sqlite_copy: Path) -> AsyncIterator[Engines]:
    """SQLite that gives up soon."""
    engines = make_engines(f"sqlite:///{sqlite_copy}")
    for pool in (engines.write, engines.read):
        on_connect(pool, lambda connection: connection.execute("PRAGMA busy_timeout=50"))
    yield engines
    await engines.dispose()


async def read(engines: Engines) -> object:
    return await SqlUserQueries(Reads(engines.read)).find(NOBODY)


async def write(engines: Engines) -> None:
    unit = SqlUnitOfWork(engines.write)
    try:
        await SqlUserRepository(unit).add(a_user())
        await unit.commit()
    finally:
        await unit.close()


async def list_keys(engines: Engines) -> object:
    return await SqlSigningKeyStore(engines).all()


async def add_key(engines: Engines) -> None:
    await SqlSigningKeyStore(engines).add_first(a_signing_key())


async def look_at_schema(engines: Engines) -> object:
    return await current_revision(Reads(engines.write))


async def migrate(engines: Engines) -> None:
    await migrations.upgrade(engine_on(engines.write))


type Work = Callable[[Engines], Awaitable[object]]
EVERY_WORK = pytest.mark.parametrize(
    "work",
    [read, write, list_keys, add_key, look_at_schema, migrate],
)
EVERY_WRITE = pytest.mark.parametrize("work", [write, add_key])


# --- constraints


def names_of(kind: type[sa.Constraint]) -> set[str]:
    return {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, kind)
    }


def test_every_translated_constraint_exists() -> None:
    by_columns = {
        f"{table.name}.{next(iter(constraint.columns)).name}"
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    }

    unknown = set(CONSTRAINT_ERRORS) - by_columns - names_of(sa.UniqueConstraint) - names_of(sa.ForeignKeyConstraint)

    assert unknown == set()


def test_every_foreign_key_is_translated() -> None:
    assert names_of(sa.ForeignKeyConstraint) - set(CONSTRAINT_ERRORS) == set()


def test_every_unique_constraint_is_translated_unless_it_is_over_random_values() -> None:
    # Two equal ones of these would be a bug, and must show as one.
    random = {"uq_api_keys_digest", "uq_audit_events_id", "uq_one_time_tokens_digest", "uq_recovery_codes_user_id"}

    assert names_of(sa.UniqueConstraint) - set(CONSTRAINT_ERRORS) - random == set()


def test_sqlite_names_every_translated_unique_constraint_by_its_columns() -> None:
    for table in metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, sa.UniqueConstraint) and constraint.name in CONSTRAINT_ERRORS:
                columns = ", ".join(f"{table.name}.{column.name}" for column in constraint.columns)
                assert CONSTRAINT_ERRORS[columns] is CONSTRAINT_ERRORS[constraint.name]


async def test_a_constraint_that_nobody_anticipated_is_a_bug(engines: Engines, sqlite: Engines) -> None:
    for each in (engines, sqlite):
        unit = SqlUnitOfWork(each.write)
        with pytest.raises((asyncpg.NotNullViolationError, sqlite3.IntegrityError)):
            await unit.execute(sa.text("INSERT INTO signing_keys (kid) VALUES ('kid')"))
        await unit.close()


# --- nobody answers


@EVERY_WORK
@pytest.mark.parametrize(
    "url", ["postgresql://portico@127.0.0.1:1/portico", "postgresql://portico@/portico?host=/nowhere"]
)
async def test_a_server_that_is_not_there_is_unavailable(work: Work, url: str) -> None:
    engines = make_engines(url)

    with pytest.raises(Unavailable):
        await work(engines)


@EVERY_WORK
async def test_a_database_that_is_not_there_is_unavailable(work: Work, postgresql_spare: str) -> None:
    engines = make_engines(postgresql_spare.replace("portico_test_", "no_such_"))

    with pytest.raises(Unavailable):
        await work(engines)


@pytest.mark.sqlite
@EVERY_WORK
async def test_a_file_that_cannot_be_opened_is_unavailable(work: Work, tmp_path: Path) -> None:
    engines = make_engines(f"sqlite:///{tmp_path}/no such folder/portico.db")

    with pytest.raises(Unavailable):
        await work(engines)
    await engines.dispose()


@pytest.mark.parametrize(
    "parameter", ["connect_timeout=10", "port=abc", "options=-c%20nothing", "gsslib=zz", "ssl=require"]
)
async def test_an_address_that_cannot_be_used_is_unavailable(postgresql_copy: str, parameter: str) -> None:
    engines = make_engines(f"{postgresql_copy}&{parameter}")

    with pytest.raises(Unavailable) as raised:
        await read(engines)
    await engines.dispose()

    assert raised.value.__cause__ is not None


_SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"


async def terminate(engines: Engines) -> None:
    """End every connection but the one that says so."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    async with engine_on(engines.write).connect() as connection:
        await connection.execute(sa.text(f"{others} AND pid <> pg_backend_pid()"))


async def test_a_read_whose_connection_is_lost_is_unavailable_and_the_next_one_is_not(engines: Engines) -> None:
    sleep = sa.select(sa.func.pg_sleep(sa.bindparam("seconds", type_=sa.Integer())))
    reading = asyncio.create_task(Reads(engines.read).all(sleep, lambda *columns: columns, seconds=5))
    async with engine_on(engines.write).connect() as connection, asyncio.timeout(5):
        while not (await connection.execute(sa.text(_SLEEPING))).scalar_one():
            # A transaction sees for as long as it lasts who was there when it first looked.
            await connection.rollback()
            await asyncio.sleep(0.01)
    await terminate(engines)

    with pytest.raises(Unavailable):
        await reading
    assert await read(engines) is None


async def test_a_connection_that_was_lost_while_nobody_used_it_is_replaced(engines: Engines) -> None:
    await asyncio.gather(*(read(engines) for _ in range(POOL_SIZE)))
    await terminate(engines)
    await asyncio.sleep(0.1)

    assert await asyncio.gather(*(read(engines) for _ in range(POOL_SIZE))) == [None] * POOL_SIZE


async def test_a_commit_on_a_connection_that_was_lost_is_unavailable(engines: Engines) -> None:
    unit, users, committed = SqlUnitOfWork(engines.write), SqlUserQueries(Reads(engines.read)), []
    user = a_user()
    await SqlUserRepository(unit).add(user)
    unit.after_commit(lambda: committed.append(user))
    await terminate(engines)

    with pytest.raises(Unavailable):
        await unit.commit()
    await unit.close()

    assert committed == []
    with pytest.raises(UserNotFound):
        await users.get(user.id)


async def test_a_unit_in_which_a_statement_failed_commits_nothing_and_says_so(engines: Engines) -> None:
    user = a_user()
    unit = SqlUnitOfWork(engines.write)
    await SqlUserRepository(unit).add(user)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await unit.execute(sa.text("SELECT 1/0"))

    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await unit.commit()
    await unit.close()

    with pytest.raises(UserNotFound):
        await SqlUserQueries(Reads(engines.read)).get(user.id)


async def test_a_unit_whose_connection_was_lost_ends_quietly(engines: Engines) -> None:
    unit = SqlUnitOfWork(engines.write)
    await SqlUserRepository(unit).add(a_user())
    await terminate(engines)

    await unit.close()

    await write(engines)


# --- too long, too full, too many

OUTAGES = {
    "08006": "connection failure",
    "25006": "read-only: a standby",
    "25P03": "idle in a transaction for too long",
    "28000": "no longer authorized",
    "28P01": "password was changed",
    "3D000": "the database is gone",
    "3F000": "there is no schema on the search_path",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55P03": "lock timeout",
    "57014": "statement timeout",
    "57P01": "shutting down",
    "57P02": "crashed",
    "57P03": "starting up",
    "58030": "input/output error",
}


@pytest.mark.parametrize("state", OUTAGES, ids=OUTAGES.get)
async def test_what_a_server_in_trouble_says_is_unavailable(engines: Engines, state: str) -> None:
    unit = SqlUnitOfWork(engines.write)

    with pytest.raises(Unavailable):
        await unit.execute(sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = '{state}'; END $$"))
    await unit.close()


@pytest.mark.parametrize("sql", ["SELECT * FROM no_such_table", "SELECT 1/0", "SELEC 1", "SELECT 'a'::int"])
async def test_what_is_wrong_with_a_statement_is_a_bug(engines: Engines, sql: str) -> None:
    unit = SqlUnitOfWork(engines.write)

    with pytest.raises(asyncpg.PostgresError):
        await unit.execute(sa.text(sql))
    await unit.close()


async def test_waiting_too_long_for_a_row_is_unavailable(engines: Engines) -> None:
    user = a_user()
    first, second = SqlUnitOfWork(engines.write), SqlUnitOfWork(engines.write)
    await SqlUserRepository(first).add(user)
    await first.commit()
    await SqlUserRepository(first).get(user.id)

    await second.execute(sa.text("SET LOCAL lock_timeout = '20ms'"))
    with pytest.raises(Unavailable):
        await SqlUserRepository(second).get(user.id)

    await second.close()
    await first.close()


async def test_a_statement_that_takes_too_long_is_unavailable(engines: Engines) -> None:
    unit = SqlUnitOfWork(engines.write)
    await unit.execute(sa.text("SET LOCAL statement_timeout = '20ms'"))

    with pytest.raises(Unavailable):
        await unit.execute(sa.text("SELECT pg_sleep(1)"))
    await unit.close()


async def test_every_wait_has_a_bound(engines: Engines) -> None:
    for pool in (engines.write, engines.read):
        settings = [
            (await pool.run(sa.text(f"SHOW {name}"), {})).value()
            for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        ]

        assert settings == ["2s", "5s", "10s"]


async def test_exhausted_pools_are_unavailable_within_two_seconds(engines: Engines) -> None:
    everything = (read, write, list_keys)
    held = [(pool, await pool.take()) for pool in (engines.write, engines.read) for _ in range(POOL_SIZE)]
    started = time.monotonic()

    outcomes = await asyncio.gather(*(work(engines) for work in everything), return_exceptions=True)

    waited = time.monotonic() - started
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert 0.9 < waited < 2
    for pool, lane in held:
        pool.give_back(lane)
    await asyncio.gather(*(work(engines) for work in everything))


@EVERY_WRITE
async def test_a_file_that_another_process_has_locked_is_unavailable(
    sqlite: Engines, sqlite_copy: Path, work: Work
) -> None:
    with closing(sqlite3.connect(sqlite_copy, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(Unavailable):
            await work(sqlite)
        assert await read(sqlite) is None

        other.execute("ROLLBACK")
        await work(sqlite)


@EVERY_WRITE
async def test_a_file_that_may_only_be_read_is_unavailable(sqlite: Engines, work: Work) -> None:
    on_connect(sqlite.write, lambda connection: connection.execute("PRAGMA query_only=ON"))

    with pytest.raises(Unavailable):
        await work(sqlite)
    assert await read(sqlite) is None


async def test_the_reason_has_no_values_in_it(sqlite: Engines) -> None:
    on_connect(sqlite.write, lambda connection: connection.execute("PRAGMA query_only=ON"))

    with pytest.raises(Unavailable) as raised:
        await write(sqlite)

    assert str(raised.value.__cause__) == "attempt to write a readonly database"


async def test_a_full_disk_is_unavailable(sqlite: Engines) -> None:
    on_connect(sqlite.write, lambda connection: connection.execute("PRAGMA max_page_count=1"))

    with pytest.raises(Unavailable):
        for _ in range(1000):
            await write(sqlite)
    assert await read(sqlite) is None


@pytest.mark.sqlite
@EVERY_WORK
async def test_a_file_that_is_no_database_is_unavailable(work: Work, tmp_path: Path) -> None:
    (tmp_path / "portico.db").write_text("This is not a database, whatever its name says." * 100)
    engines = make_engines(f"sqlite:///{tmp_path}/portico.db")

    with pytest.raises(Unavailable):
        await work(engines)
    await engines.dispose()


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        BrokenPipeError(),
        asyncpg.InterfaceError("the connection is closed"),
        asyncpg.InternalClientError("got result for unknown protocol state"),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.TooManyConnectionsError("too many"),
        asyncpg.InvalidPasswordError("wrong"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_driver_raises_while_connecting_is_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable) as raised, translated():
        raise error

    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [ValueError(), KeyError(), asyncpg.UndefinedTableError(), asyncio.CancelledError()])
def test_anything_else_passes_unchanged(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, translated():
        raise error

    assert raised.value is error


# --- the schema changes under a running process


async def change_schema(engines: Engines) -> None:
    """Change a column that prepared statements return."""
    async with engine_on(engines.write).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(sa.text("ALTER TABLE users ALTER COLUMN full_name TYPE text"))


@pytest.fixture
async def process(postgresql_copy: str) -> AsyncIterator[Engines]:
    """A process that serves."""
    process = make_engines(postgresql_copy)
    yield process
    await process.dispose()


@pytest.fixture
async def migrator(postgresql_copy: str) -> AsyncIterator[Engines]:
    """Another process, which migrates."""
    migrator = make_engines(postgresql_copy)
    yield migrator
    await migrator.dispose()


async def test_reads_go_on_after_the_schema_changed(process: Engines, migrator: Engines) -> None:
    user, users = a_user(), SqlUserQueries(Reads(process.read))
    unit = SqlUnitOfWork(process.write)
    await SqlUserRepository(unit).add(user)
    await unit.commit()
    await users.get(user.id)

    await change_schema(migrator)

    assert (await users.get(user.id)).id == user.id


async def test_units_begin_after_the_schema_changed(process: Engines, migrator: Engines) -> None:
    user, unit = a_user(), SqlUnitOfWork(process.write)
    users = SqlUserRepository(unit)
    await users.add(user)
    await unit.commit()
    await users.get(user.id)
    await unit.close()

    await change_schema(migrator)
    loaded = await users.get(user.id)
    loaded.rename(None, now=NOW)
    await users.save(loaded)
    await unit.commit()

    assert (await users.get(user.id)).version == 2
    await unit.close()


async def test_a_unit_in_which_the_schema_changed_may_be_tried_again(process: Engines, migrator: Engines) -> None:
    user, unit = a_user(), SqlUnitOfWork(process.write)
    users = SqlUserRepository(unit)
    await users.add(user)
    await unit.commit()
    await users.get(user.id)
    await unit.close()

    await unit.execute(sa.text("SELECT 1"))
    await change_schema(migrator)
    with pytest.raises(Unavailable):
        await users.get(user.id)
    await unit.close()

    assert (await users.get(user.id)).id == user.id
    await unit.close()

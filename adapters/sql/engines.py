"""Where connections come from: those that write in transactions, and those that read without.

Every wait has a bound, and each inner bound is shorter than the outer one, so that the database gives up first and
says why (STATEMENT < COMMAND). All figures are seconds unless the name says otherwise.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from adapters.sql.pool import Pool
from domain.errors import Unavailable

POOL_SIZE = 8
POOL_TIMEOUT = 1
CONNECT_TIMEOUT = 3
COMMAND_TIMEOUT = 6
STATEMENT_TIMEOUT_MS = 5_000
LOCK_TIMEOUT_MS = 2_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
SQLITE_BUSY_TIMEOUT_MS = 5_000
SQLITE_READERS = 4

_SCHEME = re.compile(r"^postgres(ql)?(\+asyncpg)?://")
_SERVER_SETTINGS = {
    "application_name": "portico",
    "timezone": "UTC",
    "jit": "off",
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
}
_OPTIONS: dict[str, Any] = {
    "poolclass": NullPool,
    "hide_parameters": True,  # values are in no error's message, and so in no log
}
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # an acknowledged write survives a power cut
    f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
    "foreign_keys=ON",
    "wal_autocheckpoint=4000",  # pages: most are changed several times meanwhile, and copied once
    "journal_size_limit=67108864",
)
_READING = ("trusted_schema=OFF", "query_only=ON")
"""Writing needs to trust the schema: triggers keep the full-text index, which is no innocuous table to SQLite."""


@dataclass(frozen=True, slots=True)
class Engines:
    """Where to write, and where to read: on PostgreSQL perhaps a replica."""

    write: Pool
    read: Pool

    async def dispose(self) -> None:
        """Close all connections."""
        await self.read.dispose()
        await self.write.dispose()


def make_engines(database_url: str, *, read_url: str | None = None, pool_timeout: float = POOL_TIMEOUT) -> Engines:
    """Return the engines for a `sqlite:` or `postgresql:` URL; the drivers are chosen here."""
    if database_url.startswith("sqlite"):
        # Put together, not parsed: a file's name may hold what means something else in a URL.
        return _sqlite(URL.create("sqlite+aiosqlite", database=database_url.removeprefix("sqlite:///")))
    return Engines(
        write=Pool(_postgresql(database_url), size=POOL_SIZE, timeout=pool_timeout),
        read=Pool(_postgresql(read_url or database_url), size=POOL_SIZE, timeout=pool_timeout),
    )


def make_migration_engine(database_url: str) -> AsyncEngine:
    """Return an engine for changing the schema: a command may take as long as it takes, or wait for its turn."""
    if database_url.startswith("sqlite"):
        engine = make_engines(database_url).write.engine
        event.listen(engine.sync_engine, "connect", _ignore_foreign_keys)
        return engine
    return _postgresql(database_url, command_timeout=None)


async def connect_postgresql(
    url: str, *, command_timeout: int | None = COMMAND_TIMEOUT
) -> "asyncpg.Connection[asyncpg.Record]":
    """Return a connection of its own, outside any pool. Raises what the driver and the system raise."""
    # The driver parses the URL, as libpq would: several hosts, sslmode, sockets, target_session_attrs.
    return await asyncpg.connect(
        _SCHEME.sub("postgresql://", url),
        timeout=CONNECT_TIMEOUT,
        command_timeout=command_timeout,
        server_settings=_SERVER_SETTINGS,
    )


_REFUSED_URL = (
    ValueError,  # the driver's own, for what it can't use
    OverflowError,
    asyncpg.SyntaxOrAccessError,  # class 42: an unknown parameter, a database that one may not enter
    asyncpg.DataError,  # class 22: a value that a parameter can't have
    asyncpg.ObjectNotInPrerequisiteStateError,  # class 55: a parameter that is not a session's
)


def _postgresql(url: str, *, command_timeout: int | None = COMMAND_TIMEOUT) -> AsyncEngine:
    async def connect(*_: object, **__: object) -> "asyncpg.Connection[asyncpg.Record]":
        try:
            return await connect_postgresql(url, command_timeout=command_timeout)
        except OSError:
            # Translated where it is caught. A certificate's error is a ValueError too.
            raise
        except _REFUSED_URL as error:
            raise Unavailable from error

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, **_OPTIONS)


def _sqlite(url: URL) -> Engines:
    write, read = (create_async_engine(url, **_OPTIONS) for _ in range(2))
    for engine in (write, read):
        event.listen(engine.sync_engine, "connect", _connect_sqlite)
    event.listen(write.sync_engine, "begin", _take_write_lock)
    event.listen(read.sync_engine, "connect", _only_read)
    patience = SQLITE_BUSY_TIMEOUT_MS / 1000
    return Engines(write=Pool(write, size=1, timeout=patience), read=Pool(read, size=SQLITE_READERS, timeout=patience))


def _connect_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The engine, not the driver, begins transactions: the driver's own rule begins them too late to protect a read.
    connection.isolation_level = None
    _set_pragmas(connection, _PRAGMAS)
    # SQLite's own knows the letters of ASCII only, and a search that ignores case would find less than PostgreSQL's.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _only_read(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    _set_pragmas(connection, _READING)


def _ignore_foreign_keys(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # Most changes to a table make a new one and drop the old, and dropping it would delete all rows that refer to it.
    _set_pragmas(connection, ["foreign_keys=OFF"])


def _set_pragmas(connection: DBAPIConnection, pragmas: Iterable[str]) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _take_write_lock(connection: sa.Connection) -> None:
    # Deferred transactions fail when two of them want to write; this one waits for its turn (busy_timeout).
    connection.exec_driver_sql("BEGIN IMMEDIATE")

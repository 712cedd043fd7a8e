"""Where connections come from: those that write in transactions, and those that read without.

Every wait has a bound, and each inner bound is shorter than the outer one, so that the database gives up first and
says why (STATEMENT < COMMAND). All figures are seconds unless the name says otherwise.
"""

import json
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import aiosqlite
import asyncpg

from adapters.sql.dialects import dialect_of
from adapters.sql.lane import Connect
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
_MIGRATING = ("foreign_keys=OFF",)
"""Most changes to a table make a new one and drop the old, and dropping it would delete all rows that refer to it."""


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
    if dialect_of(database_url) == "sqlite":
        patience = SQLITE_BUSY_TIMEOUT_MS / 1000
        write, read = connects_to(database_url), partial(_connect_sqlite, _path_in(database_url), *_READING)
        return Engines(
            write=Pool("sqlite", write, size=1, timeout=patience, command_timeout=COMMAND_TIMEOUT),
            read=Pool("sqlite", read, size=SQLITE_READERS, timeout=patience, command_timeout=COMMAND_TIMEOUT),
        )
    return Engines(
        write=Pool("postgresql", connects_to(database_url), size=POOL_SIZE, timeout=pool_timeout),
        read=Pool("postgresql", connects_to(read_url or database_url), size=POOL_SIZE, timeout=pool_timeout),
    )


def connects_to(database_url: str, *, migrates: bool = False) -> Connect:
    """Return what opens connections for writing, or for migrating: a command may then take as long as it takes."""
    if dialect_of(database_url) == "sqlite":
        return partial(_connect_sqlite, _path_in(database_url), *(_MIGRATING if migrates else ()))
    return partial(_connect_translated, database_url, command_timeout=None if migrates else COMMAND_TIMEOUT)


async def connect_postgresql(
    url: str, *, command_timeout: int | None = COMMAND_TIMEOUT
) -> "asyncpg.Connection[asyncpg.Record]":
    """Return a connection of its own, outside any pool. Raises what the driver and the system raise."""
    # The driver parses the URL, as libpq would: several hosts, sslmode, sockets, target_session_attrs.
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        _SCHEME.sub("postgresql://", url),
        timeout=CONNECT_TIMEOUT,
        command_timeout=command_timeout,
        server_settings=_SERVER_SETTINGS,
    )
    for kind in ("json", "jsonb"):
        # SQLAlchemy's types write JSON, and leave it to the driver to read it.
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=str, decoder=json.loads)
    return connection


_REFUSED_URL = (
    ValueError,  # the driver's own, for what it can't use
    OverflowError,
    asyncpg.SyntaxOrAccessError,  # class 42: an unknown parameter, a database that one may not enter
    asyncpg.DataError,  # class 22: a value that a parameter can't have
    asyncpg.ObjectNotInPrerequisiteStateError,  # class 55: a parameter that is not a session's
)


async def _connect_translated(url: str, *, command_timeout: int | None) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        return await connect_postgresql(url, command_timeout=command_timeout)
    except OSError:
        # Translated where it is caught. A certificate's error is a ValueError too.
        raise
    except _REFUSED_URL as error:
        raise Unavailable from error


async def _connect_sqlite(path: str, *pragmas: str) -> aiosqlite.Connection:
    """Return a connection to a file, which is made if it is not there. Raises what the driver raises."""
    connection = aiosqlite.Connection(partial(_opened, path, (*_PRAGMAS, *pragmas)), iter_chunk_size=64)
    # A process can end whose connections are still open.
    connection._thread.daemon = True  # noqa: SLF001 - the only way
    return await connection


def _path_in(database_url: str) -> str:
    # Cut off, not parsed: a file's name may hold what means something else in a URL.
    return database_url.removeprefix("sqlite:///")


def _opened(path: str, pragmas: Iterable[str]) -> sqlite3.Connection:
    # Portico begins transactions: the driver's own rule begins them too late to protect a read.
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        # SQLite's own knows the letters of ASCII only: a search that ignores case would find less than PostgreSQL's.
        connection.create_function("lower", 1, _lower, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


type _Value = str | bytes | int | float | None


def _lower(value: _Value) -> _Value:
    return value.lower() if isinstance(value, str) else value

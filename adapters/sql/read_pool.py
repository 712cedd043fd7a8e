"""Connections for reading, each for one statement at a time and outside any transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite
import asyncpg
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

type Row = "tuple[Any, ...] | asyncpg.Record"
type Driver = "aiosqlite.Connection | asyncpg.Connection[asyncpg.Record]"

OLDEST = 1800.0
"""Seconds for which a connection is used."""


@dataclass(frozen=True, slots=True)
class _Lane:
    """A connection that SQLAlchemy made, the driver's own underneath, and until when it is used."""

    connection: AsyncConnection
    driver: Driver
    until: float

    def is_usable(self) -> bool:
        if isinstance(self.driver, asyncpg.Connection) and self.driver.is_closed():
            return False
        return asyncio.get_running_loop().time() < self.until


class ReadPool:
    """Keeps connections, and hands statements to drivers as they are.

    SQLAlchemy's pool, which has to serve transactions, takes as long for each statement as all else about a read; this
    one gives whoever comes the connection that was used last, and makes others wait, for a bounded time.
    """

    def __init__(self, engine: AsyncEngine, *, size: int, timeout: float) -> None:
        """`timeout` is in seconds: for so long a statement waits for a connection."""
        self.engine = engine
        self._timeout = timeout
        self._free = asyncio.Semaphore(size)
        self._idle: list[_Lane] = []

    @property
    def dialect(self) -> Dialect:
        """What statements are compiled for."""
        return self.engine.dialect

    async def fetch(self, sql: str, arguments: Sequence[Any], *, replan: bool = False) -> Sequence[Row]:
        """Return the rows; with `replan`, PostgreSQL makes a new plan for these arguments.

        Raises TimeoutError if no connection is free in time, and what drivers and the system raise.
        """
        if self._free.locked():
            async with asyncio.timeout(self._timeout):
                await self._free.acquire()
        else:
            await self._free.acquire()
        try:
            lane = await self._take()
            try:
                return await _fetch(lane.driver, sql, arguments, replan=replan)
            finally:
                self._idle.append(lane)
        finally:
            self._free.release()

    async def dispose(self) -> None:
        """Close all connections that nobody uses."""
        while self._idle:
            await self._idle.pop().connection.close()
        await self.engine.dispose()

    async def _take(self) -> _Lane:
        while self._idle:
            lane = self._idle.pop()
            if lane.is_usable():
                return lane
            await lane.connection.close()
        connection = await self.engine.connect()
        driver = (await connection.get_raw_connection()).driver_connection
        assert isinstance(driver, aiosqlite.Connection | asyncpg.Connection)
        return _Lane(connection, driver, until=asyncio.get_running_loop().time() + OLDEST)


async def _fetch(driver: Driver, sql: str, arguments: Sequence[Any], *, replan: bool) -> Sequence[Row]:
    if isinstance(driver, aiosqlite.Connection):
        rows: list[Any] = list(await driver.execute_fetchall(sql, arguments))
        return rows
    if replan:
        return await (await driver.prepare(sql)).fetch(*arguments)
    # Prepared once for each connection, and again after the schema changed under it.
    return await driver.fetch(sql, *arguments)

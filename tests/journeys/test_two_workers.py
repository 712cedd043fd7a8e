"""The real thing: `portico serve --workers 2` on PostgreSQL, two processes that know of each other by the database."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.api import NO_AUTHORITIES
from tests.builders import PASSWORD, SECRET_KEY, an_email

START = 60.0
"""Seconds for a start, and for a stop, on a busy machine."""

CACHE = 5.0
"""Seconds for which a worker remembers who may come in."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server: where it is, and its first process."""

    address: str
    pid: int

    def workers(self) -> list[str]:
        """Return the ids of the processes that it has started."""
        return Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()


@pytest.fixture
def served(postgresql_blank: str, tmp_path: Path) -> Iterator[Served]:
    """Provide a server with two workers, on a database that it makes its tables in."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
    settings = {"DATABASE_URL": postgresql_blank, "SECRET_KEY": SECRET_KEY, "THROTTLE": "off", "LOG_LEVEL": "warning"}
    portico = Path(sys.executable).with_name("portico")
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - ours
            [portico, "serve", "--workers", "2", "--port", str(port)],
            env=environ | {f"PORTICO_{name}": value for name, value in settings.items()},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        yield Served(f"http://127.0.0.1:{port}", server.pid)
        server.send_signal(signal.SIGTERM)
        assert server.wait(START) == 0, (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client that connects anew for each request, so that both workers get some."""
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=served.address, verify=NO_AUTHORITIES, limits=limits, timeout=START
    ) as client:
        async with asyncio.timeout(START):
            while not await _is_ready(client):  # noqa: ASYNC110 - another process sets no event here
                await asyncio.sleep(0.05)
        yield client


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/ready")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.process
async def test_two_workers_agree_on_who_may_come_in(client: httpx.AsyncClient, served: Served) -> None:
    if sys.platform == "linux":
        assert len(served.workers()) == 2
    email = an_email()
    login = {"email": email, "password": PASSWORD}
    await client.post("/api/v1/users", json=login)
    tokens = (await client.post("/api/v1/auth/login", json=login)).json()

    # One token, fifty times at once: both workers answer one and the same successor.
    body = {"refresh_token": tokens["refresh_token"]}
    refreshed = await asyncio.gather(*(client.post("/api/v1/auth/refresh", json=body) for _ in range(50)))
    assert {answer.status_code for answer in refreshed} == {200}
    (successor,) = {answer.json()["refresh_token"] for answer in refreshed}

    # Both remember the session; then it ends in one of them.
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    items = await asyncio.gather(*(client.get("/api/v1/items", headers=headers) for _ in range(20)))
    before = await _ask_often(client, headers)
    logout = await client.post("/api/v1/auth/logout", headers=headers)
    # Sooner than anything remembered would be forgotten by itself: it is the message that comes through.
    async with asyncio.timeout(CACHE - 1):
        while await _ask_often(client, headers) != {401}:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.05)
    after = await _ask_often(client, headers)
    ended = await client.post("/api/v1/auth/refresh", json={"refresh_token": successor})

    assert {answer.status_code for answer in items} == {200}
    assert before == {200}
    assert logout.status_code == 204
    assert after == {401}
    assert ended.status_code == 401


async def _ask_often(client: httpx.AsyncClient, headers: dict[str, str]) -> set[int]:
    answers = await asyncio.gather(*(client.get("/api/v1/users/me", headers=headers) for _ in range(40)))
    return {answer.status_code for answer in answers}

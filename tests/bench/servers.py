"""Servers to be measured: each a fresh process on its core, and what it has cost so far."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from adapters.system_memory import LOOK_EVERY
from tests.bench.machine import Machine, children_of, cpu_of, free_port, memory_of

ROOT = Path(__file__).parents[2]
SECRET_KEY = "bGVuZ3RoIG1ha2VzIGEga2V5LCBub3QgdGhlIHNlY3JlY3k"
API = "/api/v1"
JSON = "application/json"
PATIENCE = 60
_IDLE = 0.015
"""Seconds of each 0.1, for what a server does of its own accord."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that was started."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def workers(self) -> list[int]:
        """The ids of the processes that serve."""
        return children_of(self.process.pid)

    def cpu(self) -> float:
        """Return the seconds that all its processes have computed."""
        return cpu_of(self.process.pid)

    def memory(self, name: str = "VmRSS") -> float:
        """Return what the largest worker has in memory, in MB, with what it shares with the others."""
        return max(memory_of(worker, name) for worker in self.workers)

    def memories(self) -> dict[str, float]:
        """Return what the largest worker has in memory at rest, and its share of that, in MB."""
        time.sleep(2 * LOOK_EVERY + 0.5)
        return {"memory": self.memory(), "share": self.memory("Pss")}

    def forget_peak(self) -> None:
        """Begin to look for a new peak of its memory (proc(5))."""
        for worker in self.workers:
            Path(f"/proc/{worker}/clear_refs").write_text("5", encoding="ascii")

    def settle(self) -> None:
        """Return when it has done what nobody waits for any more."""
        before = -1.0
        while self.cpu() - before > _IDLE:
            before = self.cpu()
            time.sleep(0.1)

    def wait_until_ready(self, workers: int = 1) -> None:
        """Return when it answers. Raises RuntimeError."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                self.call("GET", "/health")
                if len(self.workers) >= workers:
                    return
            time.sleep(0.002)
        raise RuntimeError("The server does not answer.")

    def call(self, method: str, path: str, *, token: str = "", body: Any = None, kind: str = JSON) -> bytes:
        """Send a request, and return the body of the answer. Raises RuntimeError if it was refused."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE, blocksize=1 << 16)
        content = body if isinstance(body, bytes | None) else msgspec.json.encode(body)
        connection.request(method, path, content, {"Content-Type": kind, "Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        received = answer.read()
        connection.close()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {path} was answered with {answer.status}: {received[:500]!r}")
        return received


def portico(*arguments: str) -> list[str]:
    """Return a command of Portico's."""
    return [str(Path(sys.executable).with_name("portico")), *arguments]


def environment(folder: Path, url: str) -> dict[str, str]:
    """Return the variables of an installation in production, without throttling and with bytecode of its own."""
    settings = {
        "DATABASE_URL": url,
        "ENV": "production",
        "SECRET_KEY": SECRET_KEY,
        "PUBLIC_URL": "https://portico.example.org",
        "MAIL_URL": f"file://{folder}/letters",
        "MAIL_FROM": "Portico <no-reply@example.org>",
        "ACCESS_TOKEN_MINUTES": "60",
        "THROTTLE": "off",
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PORTICO_", "PYTHON"))}
    clean |= {"PYTHONPYCACHEPREFIX": f"{folder}/bytecode", "LIMIT_DATABASE_URL": url}
    return clean | {f"PORTICO_{name}": value for name, value in settings.items()}


@contextmanager
def started(machine: Machine, folder: Path, url: str, *options: str, is_limit: bool = False) -> Iterator[Server]:
    """Start Portico, or the limit; yield it at once, and end it afterwards."""
    port = free_port()
    limit = [sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--no-ws"]
    limit += ["--log-level", "warning", "tests.bench.limit:app"]
    command = [*(limit if is_limit else portico("serve")), "--port", str(port), *options]
    log = folder / f"log-{port}"
    with machine.on_server_core(), log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(folder, url),
            cwd=ROOT if is_limit else folder,
            start_new_session=True,
        )
    server = Server(process, port)
    try:
        yield server
    except Exception as error:
        error.add_note(log.read_text(encoding="utf-8")[-2000:])
        raise
    finally:
        _end(server)
        log.unlink()


def _end(server: Server) -> None:
    workers = server.workers if server.process.poll() is None else []
    server.process.terminate()
    try:
        server.process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        for process in (server.process.pid, *workers):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        server.process.wait()

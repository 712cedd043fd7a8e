"""`portico serve`: what it does before and in its workers, in this process; and the whole of it, as processes."""

import asyncio
import ctypes
import gc
import multiprocessing
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from granian import _signals as granian_signals

from application.auth.signing_ports import AccessTokens, SigningKey, SigningKeyStore
from application.schema import Schema
from domain.errors import Unavailable
from domain.ids import SessionId, UserId
from entrypoints.cli import serve, server
from entrypoints.cli.runner import run_until_ended
from entrypoints.container import make_container
from entrypoints.settings import Settings
from tests.api import NO_AUTHORITIES, lifespan
from tests.builders import A_MONTH_LATER, PASSWORD, SECRET_KEY, an_email, an_id
from tests.cli.conftest import PATIENCE, Portico, environ_of
from tests.containers import settings_for

STOPS = {signal.SIGTERM, signal.SIGINT}

on_linux = pytest.mark.linux  # which tells who is whose child, and that one died


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


# --- in this process


class Unforked(server.Supervisor):
    """A supervisor that starts no workers, and loads the application as they would."""

    started: Any = None
    held: frozenset[int] = frozenset()

    def serve(
        self,
        spawn_target: Callable[..., None] | None = None,
        target_loader: Callable[..., Callable[..., Any]] | None = None,
        wrap_loader: bool = True,  # noqa: FBT002 - granian's signature
    ) -> None:
        """Do what happens between forks."""
        assert (spawn_target, wrap_loader) == (None, False)
        assert target_loader is not None
        type(self).started = self
        for hook in self.hooks_startup:
            hook()
        self.app = target_loader()
        # A worker hears them again when its application has started.
        type(self).held = frozenset(signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS))


@pytest.fixture
def unforked(monkeypatch: pytest.MonkeyPatch, own_logging: None) -> Iterator[type[Unforked]]:  # noqa: ARG001 - undone
    """Provide what serving was started with, and undo what a worker does to its process."""
    monkeypatch.setattr(server, "Supervisor", Unforked)
    monkeypatch.setattr(granian_signals, "set_loop_signals", granian_signals.set_loop_signals)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    threshold = gc.get_threshold()
    method = multiprocessing.get_start_method()
    yield Unforked
    multiprocessing.set_start_method(method, force=True)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    gc.set_threshold(*threshold)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, 0)


@pytest.mark.sqlite
def test_migrates_and_says_three_things(
    command: Portico, unforked: type[Unforked], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = _free_port()
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")

    served = command("serve", "--port", str(port))

    assert (served.code, served.out) == (0, "")
    assert served.err.splitlines() == [
        f"Portico serves its API at http://127.0.0.1:{port}/api/v1",
        f"Documentation: http://127.0.0.1:{port}/docs",
        "To make an administrator: uv run portico users create you@example.org --role admin",
    ]
    assert callable(unforked.started.app)
    assert (folder / "portico.db").exists()
    assert command("database", "check").code == 0


@pytest.mark.sqlite
@pytest.mark.usefixtures("unforked")
@pytest.mark.parametrize(
    ("is_on_path", "called"),
    [(True, "portico"), (False, "'/opt/my portico/bin/portico'")],
    ids=["on PATH", "elsewhere"],
)
def test_says_how_to_call_it_without_uv(
    command: Portico, folder: Path, monkeypatch: pytest.MonkeyPatch, called: str, *, is_on_path: bool
) -> None:
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "argv", ["/opt/my portico/bin/portico", "serve"])
    if is_on_path:
        (folder / "portico").touch(mode=0o755)

    served = command("serve", "--port", str(_free_port()))

    assert f"To make an administrator: {called} users create you@example.org --role admin" in served.err.splitlines()


def test_says_that_memory_is_lost(command: Portico, unforked: type[Unforked], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", "memory:")
    monkeypatch.setenv("PORTICO_DOCS", "off")

    served = command("serve", "--port", str(_free_port()))

    assert served.code == 0
    assert "Documentation: off" in served.err
    assert "lost when the server stops" in served.err
    assert unforked.started.workers == 1


@on_linux
@pytest.mark.sqlite
@pytest.mark.usefixtures("unforked")
@pytest.mark.parametrize(("platform", "method"), [("linux", "fork"), ("darwin", "spawn")])
def test_forks_workers_where_that_is_safe(
    command: Portico, monkeypatch: pytest.MonkeyPatch, platform: str, method: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)

    command("serve", "--port", str(_free_port()))

    assert multiprocessing.get_start_method() == method


@pytest.mark.sqlite
def test_starts_workers_anew_when_the_source_changes(command: Portico, unforked: type[Unforked]) -> None:
    command("serve", "--port", str(_free_port()), "--reload")

    assert multiprocessing.get_start_method() == "spawn"
    assert unforked.started.reload_on_changes
    assert {path.name for path in unforked.started.reload_paths} == {
        "domain",
        "application",
        "adapters",
        "entrypoints",
    }


@pytest.mark.sqlite
def test_lets_a_worker_stop_before_it_listens(
    command: Portico, unforked: type[Unforked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "elsewhere")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    command("serve", "--port", str(_free_port()))

    assert unforked.started.app
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_refuses_several_workers_in_memory(command: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", "memory:")

    refused = command("serve", "--workers", "2")

    assert refused.code == 2
    assert "each worker would have data of its own" in refused.err


def test_refuses_several_workers_on_a_sqlite_that_could_corrupt_the_file(
    command: Portico, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))

    refused = command("serve", "--workers", "2")

    assert refused.code == 2
    assert "PostgreSQL" in refused.err


@pytest.mark.sqlite
def test_allows_several_workers_on_a_sqlite_that_can_not(
    command: Portico, unforked: type[Unforked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))

    assert command("serve", "--workers", "2", "--port", str(_free_port())).code == 0
    assert unforked.started.workers == 2


@pytest.mark.parametrize("arguments", [("--port", "0"), ("--port", "65536"), ("--workers", "0")])
def test_takes_impossible_numbers_for_misuse(command: Portico, arguments: tuple[str, str]) -> None:
    assert command("serve", *arguments).code == 2


@pytest.mark.parametrize("listening", [True, False])
@pytest.mark.usefixtures("own_logging")
def test_refuses_a_port_that_is_taken_or_reserved(command: Portico, *, listening: bool) -> None:
    port = _free_port()
    with socket.create_server(("127.0.0.1", port)) if listening else serve.reserved("127.0.0.1", port):
        refused = command("serve", "--port", str(port))

    assert refused.code == 1
    assert refused.err == f"portico: can't listen on 127.0.0.1, port {port}: Address already in use\n"


@pytest.mark.parametrize("host", ["host.invalid", "192.0.2.1"])
@pytest.mark.usefixtures("own_logging")
def test_refuses_a_host_that_is_not_here(command: Portico, host: str) -> None:
    refused = command("serve", "--host", host)

    assert refused.code == 1
    assert refused.err.startswith(f"portico: can't listen on {host}, port 8000: ")
    assert refused.err.count("\n") == 1


def test_listens_on_the_address_of_a_name() -> None:
    with serve.reserved("localhost", _free_port()) as address:
        assert address in ("127.0.0.1", "::1")


@pytest.mark.usefixtures("own_logging")
def test_waits_for_the_database_and_then_gives_up(command: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", "postgresql://ada:secret@127.0.0.1:1/portico")
    monkeypatch.setattr(server, "WAITS_FOR_DATABASE", (0.01, 0.01))

    refused = command("serve", "--port", str(_free_port()))

    *waits, last = refused.err.splitlines()
    assert (refused.code, refused.out) == (1, "")
    assert len(waits) == 2
    assert all(line.startswith("portico: waiting for the database: ") for line in waits)
    assert last.startswith("portico: Something Portico depends on does not answer.")
    assert "secret" not in refused.err


@pytest.mark.sqlite
@pytest.mark.usefixtures("own_logging")
def test_refuses_signing_keys_of_another_secret_at_once(
    command: Portico, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sign() -> None:
        container = make_container(settings_for("sqlite:///portico.db", folder))
        await (await container.get(Schema)).upgrade()
        tokens = await container.get(AccessTokens)
        await tokens.issue(user_id=UserId(an_id()), session_id=SessionId(an_id()), expires_at=A_MONTH_LATER)
        await container.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as loop:
        loop.run(sign())
    monkeypatch.setenv("PORTICO_SECRET_KEY", SECRET_KEY[::-1])

    refused = command("serve", "--port", str(_free_port()))

    assert refused.code == 1
    assert refused.err.count("\n") == 1
    assert "another PORTICO_SECRET_KEY" in refused.err


@pytest.mark.sqlite
def test_a_worker_hears_signals_once_its_application_has_started(command: Portico, unforked: type[Unforked]) -> None:
    command("serve", "--port", str(_free_port()))

    async def live() -> set[int]:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        async with lifespan(unforked.started.app):
            await asyncio.sleep(0.5)
            return signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)

    assert unforked.held >= STOPS
    assert not asyncio.run(live()) & STOPS


class Unstarted:
    """A worker that is no process."""

    def start(self) -> None:
        """Nothing to start."""

    def terminate(self) -> None:
        """Nothing to end."""

    def join(self, _: float | None = None) -> None:
        """Nothing to wait for."""

    def is_alive(self) -> bool:
        return False


@pytest.mark.sqlite
def test_holds_signals_back_until_a_worker_can_take_them(
    command: Portico, unforked: type[Unforked], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    class Worker(Unstarted):
        def start(self) -> None:
            held.append(signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    monkeypatch.setattr(Unforked, "_spawn_worker", lambda *_, **__: Worker())
    command("serve", "--port", str(_free_port()))
    supervisor = unforked.started

    supervisor._spawn_workers(None, None)  # noqa: SLF001 - granian calls this when it starts
    supervisor._respawn_workers([0], None, None)  # noqa: SLF001 - and this when a worker died

    assert held == [True, True]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert time.monotonic() - supervisor.respawned_wrks[0] > 5.5 - server.HOPELESS_WITHIN


@pytest.fixture(params=["sqlite", "postgresql"])
def unconnected(request: pytest.FixtureRequest) -> Settings:
    """Provide a database that nothing else here is connected to: SQLite would put off closing its file."""
    if request.param == "sqlite":
        return settings_for(f"sqlite:///{request.getfixturevalue('sqlite_copy')}")
    return settings_for(request.getfixturevalue("postgresql_copy"))


def test_hands_no_thread_and_no_connection_down_to_workers(unconnected: Settings) -> None:
    before, descriptors = set(threading.enumerate()), _open_descriptors()

    run_until_ended(server.prepare(unconnected))

    assert set(threading.enumerate()) <= before
    assert _open_descriptors() <= descriptors


def _open_descriptors() -> set[str]:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return set()
    return {name for name in os.listdir(folder) if _is_open(folder / name)}  # noqa: PTH208 - names, not paths


def _is_open(path: Path) -> bool:
    return path.exists() or path.is_symlink()


async def test_tells_of_the_database_when_it_comes_up_late(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = iter([Unavailable("down"), None])

    async def migrate(_: object) -> None:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome from OSError("refused")

    monkeypatch.setattr(server, "_migrate", migrate)
    monkeypatch.setattr(server, "WAITS_FOR_DATABASE", (0,))

    await server.prepare(settings_for("sqlite:///portico.db", folder))

    assert capsys.readouterr().err == "portico: waiting for the database: refused\n"


@pytest.mark.parametrize("handler", ["signal_handler_interrupt", "signal_handler_reload"])
def test_a_signal_does_not_wait_for_what_it_interrupts(
    command: Portico, unforked: type[Unforked], monkeypatch: pytest.MonkeyPatch, handler: str
) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", "memory:")
    command("serve", "--port", str(_free_port()))
    supervisor = unforked.started

    # As the main thread does in the moment in which it is woken; a signal's handler runs in that thread too.
    with supervisor.main_loop_interrupt._cond:  # noqa: SLF001 - no other way to be there
        handling = threading.Thread(target=getattr(supervisor, handler), daemon=True)
        handling.start()
        handling.join(5)
        assert not handling.is_alive()

    assert supervisor.main_loop_interrupt.wait(5)


def test_a_signal_is_not_forgotten_while_a_worker_is_replaced(
    command: Portico, unforked: type[Unforked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", "memory:")
    command("serve", "--port", str(_free_port()))
    supervisor = unforked.started

    supervisor.signal_handler_interrupt()
    assert supervisor.main_loop_interrupt.wait(5)
    supervisor.main_loop_interrupt.clear()  # as granian does before it replaces a worker
    supervisor._respawn_workers([], None, None)  # noqa: SLF001 - what granian calls

    assert supervisor.main_loop_interrupt.is_set()


def test_a_worker_that_is_told_to_stop_twice_does_not_wait_for_itself(
    command: Portico, unforked: type[Unforked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", "memory:")
    command("serve", "--port", str(_free_port()))
    assert callable(unforked.started.app)
    hears: dict[int, Callable[[], None]] = {}

    class Loop:
        add_signal_handler = hears.__setitem__

    loop: Any = Loop
    granian_signals.set_loop_signals(loop)  # type: ignore[no-untyped-call] # what granian's worker calls

    for number in (*STOPS, *STOPS):
        hearing = threading.Thread(target=hears[number], daemon=True)
        hearing.start()
        hearing.join(5)
        assert not hearing.is_alive()


def test_whoever_says_stop_does_not_wait_until_all_workers_are_replaced(
    command: Portico, unforked: type[Unforked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", "memory:")
    command("serve", "--port", str(_free_port()))
    supervisor = unforked.started
    replaced: list[int] = []

    def spawn_worker(idx: int, **_: object) -> Unstarted:
        replaced.append(idx)
        supervisor.signal_handler_interrupt()
        return Unstarted()

    supervisor.wrks = [Unstarted() for _ in range(3)]
    monkeypatch.setattr(supervisor, "_spawn_worker", spawn_worker)
    supervisor._respawn_workers([0, 1, 2], None, None)  # noqa: SLF001 - what granian calls

    assert replaced == [0]


# --- as processes


class Served:
    """A server, and how to speak to it."""

    def __init__(self, folder: Path, port: int, *options: str, **variables: str) -> None:
        self.port = port
        self.stderr = folder / "stderr"
        with self.stderr.open("w") as stderr:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [
                    sys.executable,
                    "-c",
                    "from entrypoints.cli.main import main; main()",
                    "serve",
                    "--port",
                    str(port),
                    *options,
                ],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=variables,
            )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, verify=NO_AUTHORITIES)

    def wait_until_ready(self) -> None:
        """Return when it answers."""
        self.wait_for(self._is_ready, "no answer")

    def wait_for(self, is_so: Callable[[], object], complaint: str) -> None:
        """Return when something is so."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert self.process.poll() is None, self.stderr.read_text()
            assert time.monotonic() < deadline, f"{complaint}\n{self.stderr.read_text()}"
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        with suppress(httpx.TransportError):
            return self.http.get("/health/ready").status_code == 200
        return False

    def workers(self) -> set[int]:
        """Return the ids of its worker processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text().split()} if children.exists() else set()

    def sign_in(self) -> dict[str, str]:
        """Make an account, and return its bearer token as headers."""
        email = an_email()
        assert self.sign_up(email) == 201
        tokens = self.http.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}).json()
        return {"Authorization": f"Bearer {tokens['access_token']}"}

    def sign_up(self, email: str) -> int:
        """Make an account; return the status of the answer."""
        return self.http.post("/api/v1/users", json={"email": email, "password": PASSWORD}).status_code

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it, if it has not ended."""
        self.http.close()
        workers = self.workers()
        if self.process.poll() is None:
            self.process.kill()
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait()


type Serve = Callable[..., Served]


@contextmanager
def _serving(folder: Path) -> Iterator[Serve]:
    all_served: list[Served] = []

    def start(*options: str, port: int | None = None, **variables: str) -> Served:
        environ = environ_of() | {f"PORTICO_{name}": value for name, value in variables.items()}
        all_served.append(Served(folder, port or _free_port(), *options, **environ))
        return all_served[-1]

    yield start
    for served in all_served:
        served.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Serve]:
    """Provide how to start a server, which ends with the test."""
    with _serving(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Provide a server on a file, shared by the tests that leave it running."""
    with _serving(tmp_path_factory.mktemp("served")) as start:
        served = start()
        served.wait_until_ready()
        yield served


@pytest.mark.process
def test_serves_a_file_that_it_makes(served: Served) -> None:
    headers = served.sign_in()

    made = served.http.post("/api/v1/items", headers=headers, json={"title": "Milk"}).json()

    assert served.http.get("/api/v1/items", headers=headers).json()["data"] == [made]
    assert "To make an administrator" in served.stderr.read_text()


@pytest.mark.process
def test_logs_what_it_serves_on_stderr(served: Served) -> None:
    served.http.get("/health", headers={"X-Request-ID": "look-for-me"})

    served.wait_for(lambda: "look-for-me" in served.stderr.read_text(), "no line in the log")

    line = next(line for line in served.stderr.read_text().splitlines() if "look-for-me" in line)
    assert re.match(r"\S+Z info     portico\.access: request method=GET path=/health status=200 ", line)


@pytest.mark.process
@pytest.mark.usefixtures("own_logging")
def test_refuses_to_share_a_port_with_another_server(served: Served, command: Portico) -> None:
    refused = command("serve", "--port", str(served.port))

    assert refused.code == 1
    assert "Address already in use" in refused.err


@pytest.mark.process
@on_linux
def test_replaces_a_worker_as_often_as_it_is_killed(served: Served) -> None:
    for wait in (server.HOPELESS_WITHIN, 0):
        (worker,) = served.workers()
        os.kill(worker, signal.SIGKILL)
        served.wait_for(lambda killed=worker: served.workers() - {killed}, "no other worker")  # type: ignore[misc]
        served.wait_until_ready()
        time.sleep(wait)

    assert served.process.poll() is None


@pytest.mark.process
def test_finishes_what_it_has_begun_when_told_to_stop(start: Serve) -> None:
    served = start(DATABASE_URL="memory:")
    served.wait_until_ready()
    with ThreadPoolExecutor(8) as clients:
        answers = [clients.submit(served.sign_up, an_email()) for _ in range(8)]
        served.wait_for(lambda: any(answer.done() for answer in answers), "no answer")

        # Systemd tells all of a service's processes.
        for worker in served.workers():
            os.kill(worker, signal.SIGTERM)
        assert served.stop() == 0

    # Those that it had accepted; a client may have been too late for that.
    statuses = [answer.result() for answer in answers if answer.exception() is None]
    assert set(statuses) == {201}
    assert all(isinstance(answer.exception(), httpx.ConnectError | None) for answer in answers)


@pytest.mark.process
def test_stops_at_once_while_its_worker_is_starting(start: Serve) -> None:
    served = start(DATABASE_URL="memory:", LOG_LEVEL="debug")
    served.wait_for(lambda: "Spawning worker-1" in served.stderr.read_text(), "no worker")

    began = time.monotonic()

    assert served.stop() == 0
    assert time.monotonic() - began < server.GRACE / 2


def _blocks(process: int) -> set[int]:
    """Return the signals that wait until the process wants them (proc(5))."""
    status = Path(f"/proc/{process}/status").read_text()
    mask = int(status.partition("SigBlk:")[2].split()[0], 16)
    return {number for number in STOPS if mask >> (number - 1) & 1}


@pytest.mark.process
@on_linux
def test_a_worker_that_loads_hears_nothing_until_it_has(start: Serve) -> None:
    served = start("--reload", DATABASE_URL="memory:")
    loading: list[int] = []

    def is_loading() -> bool:
        # Beside the worker, whose command says that it was spawned, there is Python's own tracker of resources.
        loading[:] = [it for it in served.workers() if b"spawn_main" in Path(f"/proc/{it}/cmdline").read_bytes()]
        return bool(loading)

    served.wait_for(is_loading, "no worker")
    blocked = _blocks(loading[0])
    os.kill(loading[0], signal.SIGINT)  # as a terminal tells it of Ctrl-C

    assert blocked == STOPS
    assert served.stop() == 0
    assert "Traceback" not in served.stderr.read_text()


@pytest.mark.process
@on_linux
def test_takes_its_workers_with_it_when_it_is_killed(start: Serve) -> None:
    served = start(DATABASE_URL="memory:")
    served.wait_until_ready()

    served.process.kill()
    served.process.wait()

    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_server(("127.0.0.1", served.port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("a worker serves on")


@pytest.mark.process
def test_tells_nobody_which_version_of_a_server_it_is(served: Served) -> None:
    # Granian sends the header in any case; empty, it tells nothing.
    assert served.http.get("/health").headers["server"] == ""


LISTING = """
import multiprocessing, sys
from contextlib import contextmanager
from entrypoints.cli import loading, serve
from entrypoints.cli.main import main

def listing(_, target_loader, **options):
    def tell():
        target_loader()
        print(*sys.modules)

    worker = multiprocessing.Process(target=tell)
    worker.start()
    worker.join()

@contextmanager
def loading_and_listing(*arguments, **options):
    with loading.loading(*arguments, **options):
        yield
        sys.modules["granian.server.mp"].MPServer.serve = listing

serve.loading = loading_and_listing
main()
"""
"""`portico`, whose only worker says what it has loaded, and ends."""


@pytest.mark.process
@on_linux
@pytest.mark.parametrize("storage", ["sqlite", "postgresql", "memory"])
def test_a_worker_holds_nothing_that_only_preparing_needs(
    storage: str, request: pytest.FixtureRequest, folder: Path
) -> None:
    urls = {"sqlite": f"sqlite:///{folder}/portico.db", "memory": "memory:"}
    url = urls.get(storage) or request.getfixturevalue("postgresql_blank")

    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", LISTING, "serve", "--port", str(_free_port())],
        env=environ_of() | {"PORTICO_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )

    loaded = set(ran.stdout.split())
    assert ran.returncode == 0, ran.stderr
    assert "litestar" in loaded
    assert storage == "memory" or len(_signing_keys_in(settings_for(url, folder))) == 1
    assert not {"alembic", "advanced_alchemy", "attr", "sqlalchemy.orm", "sqlalchemy.ext.asyncio", "rich"} & loaded
    adapters = {"adapters.memory", "adapters.sql", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"}
    assert adapters & loaded == (
        {"adapters.memory"} if storage == "memory" else {"adapters.sql", f"sqlalchemy.dialects.{storage}"}
    )


def _signing_keys_in(settings: Settings) -> list[SigningKey]:
    async def find() -> list[SigningKey]:
        container = make_container(settings)
        try:
            store: SigningKeyStore = await container.get(SigningKeyStore)
            return await store.all()
        finally:
            await container.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as loop:
        return loop.run(find())


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_at_once_while_it_waits_for_the_database(start: Serve, number: signal.Signals) -> None:
    """Told alone, as by a service manager: what prepares is a process of its own."""
    served = start(DATABASE_URL="postgresql://portico@127.0.0.1:1/portico")
    served.wait_for(lambda: "waiting for the database" in served.stderr.read_text(), "it does not wait")
    children = served.workers()

    served.process.send_signal(number)

    assert served.process.wait(1) == 128 + number
    assert not [it for it in children if Path(f"/proc/{it}").exists()]
    assert "Traceback" not in served.stderr.read_text()


@pytest.mark.process
def test_holds_no_headers_without_end(start: Serve) -> None:
    """Neither in HTTP/1.1 nor in HTTP/2, where they could come in very many frames."""
    served = start(DATABASE_URL="memory:")
    served.wait_until_ready()

    assert served.http.get("/health", headers={"X-Long": "x" * (server.READ_AHEAD - 1_000)}).status_code == 200
    assert served.http.get("/health", headers={"X-Long": "x" * server.READ_AHEAD}).status_code == 431
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        with suppress(ConnectionResetError):
            # In HTTP/2 it would be a frame: settings.
            assert connection.recv(1_000)[:8] in (b"", b"HTTP/1.1")


@pytest.mark.process
def test_ends_with_one_line_for_a_bad_setting(start: Serve) -> None:
    served = start(PUBLIC_URL="nowhere")

    assert served.process.wait(PATIENCE) == 1
    assert (
        served.stderr.read_text() == "portico: PORTICO_PUBLIC_URL must be an address such as https://api.example.org\n"
    )

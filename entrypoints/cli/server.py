"""The server: granian's supervisor, which replaces workers, and what each worker loads."""

import _thread
import asyncio
import functools
import gc
import multiprocessing
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from dishka import AsyncContainer
from granian import _signals as granian_signals
from granian._granian import WorkerSignal
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer
from litestar.types import ASGIApp

from application.auth.signing_ports import AccessTokens
from application.schema import Schema
from domain.errors import Unavailable
from entrypoints.cli.apart import do_apart
from entrypoints.cli.loading import lacking
from entrypoints.cli.messages import one_line, print_message
from entrypoints.cli.runner import run_until_ended
from entrypoints.cli.signals import STOPS, end_with_parent, signals_held
from entrypoints.container import make_container
from entrypoints.http.app import create_app
from entrypoints.logs import configure_logging
from entrypoints.settings import LogLevel, Settings

HEADER_READ_TIMEOUT_MS = 5_000
READ_AHEAD = 1 << 16
"""Bytes of a connection that nobody has asked for yet; no request line and headers may be longer (431)."""

CONNECTIONS_PER_WORKER = 1_024
GRACE = 20
"""Seconds for which a worker that is told to stop may go on with the requests it has."""

HOPELESS_WITHIN = 1
"""Seconds; a worker that replaced another and dies sooner ends the server."""

_GRANIAN_HOPELESS_WITHIN = 5.5

WAITS_FOR_DATABASE = (0.25, 0.5, 1, 2, 4)
"""Seconds between attempts to reach a database that perhaps is starting too."""

_SERVES_AFTER = 0.1
"""Seconds from the start of the application, at most, until granian's loop runs again."""

_NAMELESS = [(b"server", b"")]
"""Granian sends the header in any case, with its own name unless an answer has one."""

_ROOT = Path(__file__).parents[2]
_SOURCES = [_ROOT / name for name in ("domain", "application", "adapters", "entrypoints")]


class Supervisor(MPServer):
    """Replaces a worker that dies, however often: only one that dies as it starts is hopeless, and ends the server.

    Granian gives up where a worker dies within 5.5 s of its start, which would let whoever can kill one end them all.

    Signals wait while a worker is forked: it inherits handlers that are not for it, and takes what came when it has its
    own. They wait in one that is spawned until it has loaded.
    """

    def _spawn_workers(self, *arguments: Any) -> None:
        if multiprocessing.get_start_method() == "spawn":
            # The first spawn would start it, and let the signals through.
            resource_tracker.ensure_running()
        with signals_held(*STOPS):
            super()._spawn_workers(*arguments)  # type: ignore[no-untyped-call]

    def _respawn_workers(self, workers: Sequence[int], *arguments: Any, **options: Any) -> None:
        for index in workers:
            # Each takes as long as the one that it replaces takes to stop: whoever says stop need not wait for all.
            if self.interrupt_signal:
                break
            with signals_held(*STOPS):
                super()._respawn_workers([index], *arguments, **options)
            self.respawned_wrks[index] -= _GRANIAN_HOPELESS_WITHIN - HOPELESS_WITHIN
        if self.interrupt_signal:
            # Granian may have cleared what was to wake it for this.
            self.main_loop_interrupt.set()

    def signal_handler_interrupt(self, *_: Any) -> None:
        """Stop. Whoever tells a whole group to, as systemd does, tells the workers too: they are expected to end."""
        self.interrupt_signal = True
        for worker in self.wrks:
            worker.interrupt_by_parent = True
        self._wake()

    def signal_handler_reload(self, *_: Any) -> None:
        """Replace the workers."""
        self.reload_signal = True
        self._wake()

    def _wake(self) -> None:
        # The main thread, which handles signals, may hold the event's lock at the moment, and would wait for itself.
        _thread.start_new_thread(self.main_loop_interrupt.set, ())

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop the workers, and end with an exit code other than 0 if that is not what was asked for."""
        if self.interrupt_signal:
            self.interrupt_children.clear()
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]


def start(
    settings: Settings, *, host: str, address: str, port: int, workers: int, reloads: bool, works: bool = True
) -> None:
    """Serve until told to stop. Raises DomainError, and SystemExit when the workers can't be kept alive."""
    configure_logging(settings)
    if not settings.is_memory:
        _do_first(lambda: run_until_ended(prepare(settings)), apart=forks(reloads=reloads))
    server = make_server(settings, address=address, port=port, workers=workers, reloads=reloads)
    server.on_startup(lambda: _announce(settings, host, port))
    # What is loaded by now is for good. Workers share its memory with this process, as long as nobody touches it.
    gc.freeze()
    server.serve(target_loader=functools.partial(load_app, settings, works=works), wrap_loader=False)


def _do_first(work: Callable[[], None], *, apart: bool) -> None:
    # The first time it loads Alembic, the ORM and advanced-alchemy: 25 MB, which each worker would inherit.
    if apart:
        do_apart(work)
    else:
        work()


async def prepare(settings: Settings) -> None:
    """Wait for the database, migrate it, and make its first signing key or open those it has. Raises DomainError.

    It closes all that it opened. Workers that are forked inherit no connection and no thread.
    """
    for wait in (*WAITS_FOR_DATABASE, None):
        container = make_container(settings)
        try:
            await _migrate(container)
        except Unavailable as error:
            if wait is None or type(error) is not Unavailable:
                raise
            print_message(f"portico: waiting for the database: {one_line(error.__cause__ or error)}")
            await asyncio.sleep(wait)
        else:
            return
        finally:
            await container.close()


async def _migrate(container: AsyncContainer) -> None:
    schema = await container.get(Schema)
    await schema.upgrade()
    access_tokens = await container.get(AccessTokens)
    await access_tokens.prepare()


def forks(*, reloads: bool) -> bool:
    """Tell whether processes are made by forking.

    Forked workers share what this process has imported, and start at once; where the source may have changed since,
    they must not. Python's own choice depends on the system and, from 3.14 on, is another one on Linux too.
    """
    return sys.platform == "linux" and not reloads


def make_server(settings: Settings, *, address: str, port: int, workers: int, reloads: bool) -> MPServer:
    """Return the server, not started. Some of its options, and what they are for.

    ==========================  ==================================================================================
    `respawn_failed_workers`    without it, the death of one worker ends them all
    `workers_kill_timeout`      a worker that does not stop by then is killed; without it the server may hang
    `backpressure`              connections that a worker accepts at once; others wait in the backlog
    `http`                      to HTTP/2, which clients speak with a proxy at most, the next two would not apply
    `header_read_timeout`       slow clients must not occupy those
    `max_buffer_size`           many that send large bodies must not fill the memory; granian would take six times it
    `log_dictconfig`            granian's own handlers would write to stdout, in a format of their own
    ==========================  ==================================================================================
    """
    multiprocessing.set_start_method("fork" if forks(reloads=reloads) else "spawn", force=True)
    return Supervisor(
        "portico",
        address=address,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        loop=Loops.uvloop,
        workers=workers,
        websockets=False,
        backpressure=CONNECTIONS_PER_WORKER,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_READ_TIMEOUT_MS, max_buffer_size=READ_AHEAD),
        log_access=False,
        log_level=LogLevels.info if settings.log_level is LogLevel.DEBUG else LogLevels.warning,
        log_dictconfig={
            "formatters": {},
            "handlers": {},
            "loggers": {name: {"handlers": [], "propagate": True} for name in ("_granian", "granian.access")},
        },
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE,
        reload=reloads,
        reload_paths=_SOURCES,
        reload_ignore_worker_failure=True,
    )


def _stopped_by_the_first_signal(loop: asyncio.AbstractEventLoop) -> WorkerSignal:
    """Return what granian's worker waits for. At a second signal, as a whole group gets, its own waits for itself."""
    stop = WorkerSignal()
    is_set = False

    def hear() -> None:
        nonlocal is_set
        if not is_set:
            is_set = True
            stop.set()

    for number in STOPS:
        loop.add_signal_handler(number, hear)
    return stop


def load_app(settings: Settings, *, works: bool = True) -> ASGIApp:
    """Return the application, in the worker that will serve it."""
    for number in STOPS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    # A supervisor that is killed can't stop its workers, which would serve on and keep the port.
    end_with_parent()
    granian_signals.set_loop_signals = _stopped_by_the_first_signal
    configure_logging(settings)
    with lacking():
        app = create_app(settings, works=works, headers=_NAMELESS, when_live=_hear_signals)
    # The application lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)
    # Granian's handlers come next, and nobody listens to them while the loop does not run: between starting the
    # application and serving it a signal would be lost, and the server wait in vain for the worker to stop.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    return app


def _hear_signals() -> None:
    asyncio.get_running_loop().call_later(_SERVES_AFTER, signal.pthread_sigmask, signal.SIG_UNBLOCK, STOPS)


def _announce(settings: Settings, host: str, port: int) -> None:
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    print_message(f"Portico serves its API at {address}/api/v1")
    print_message(f"Documentation: {f'{address}/docs' if settings.docs else 'off; PORTICO_DOCS=on turns it on'}")
    if not settings.throttle:
        print_message("Warning: PORTICO_THROTTLE is off, so passwords can be guessed without limit")
    if settings.is_memory:
        print_message("All data are in memory: lost when the server stops, and out of reach of other commands")
    else:
        print_message(f"To make an administrator: {_called()} users create you@example.org --role admin")


def _called() -> str:
    """Return what to type for `portico` in another terminal of whoever started this."""
    if "UV_RUN_RECURSION_DEPTH" in os.environ:
        # Only what `uv run` starts has the command on its PATH.
        return "uv run portico"
    return "portico" if shutil.which("portico") else shlex.quote(sys.argv[0])

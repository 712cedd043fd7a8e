"""`portico serve`: the API, on granian."""

import asyncio
import ctypes
import functools
import gc
import multiprocessing
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from dishka import AsyncContainer
from granian.constants import Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer
from litestar import Litestar

from application.auth.ports import AccessTokens
from application.schema import Schema
from domain.errors import Conflict, Unavailable
from entrypoints.cli.messages import one_line, print_message
from entrypoints.container import make_container
from entrypoints.logs import configure_logging
from entrypoints.settings import LogLevel, Settings, load_settings

SQLITE_FOR_PROCESSES = (3, 51, 3)
"""The first SQLite whose write-ahead log several processes cannot corrupt when one of them resets it."""

HEADER_READ_TIMEOUT_MS = 5_000
CONNECTIONS_PER_WORKER = 1_024
GRACE = 20
"""Seconds for which a worker that is told to stop may go on with the requests it has."""

HOPELESS_WITHIN = 1
"""Seconds; a worker that replaced another and dies sooner ends the server."""

_GRANIAN_HOPELESS_WITHIN = 5.5

WAITS_FOR_DATABASE = (0.25, 0.5, 1, 2, 4)
"""Seconds between attempts to reach a database that perhaps is starting too."""

_PR_SET_PDEATHSIG = 1
_ROOT = Path(__file__).parents[2]
_SOURCES = [_ROOT / name for name in ("domain", "application", "adapters", "entrypoints")]


class _Supervisor(MPServer):
    """Replaces a worker that dies, however often: only one that dies as it starts is hopeless, and ends the server.

    Granian gives up where a worker dies within 5.5 s of its start, which would let whoever can kill one end them all.
    """

    def _respawn_workers(self, workers: Sequence[int], *arguments: Any, **options: Any) -> None:
        super()._respawn_workers(workers, *arguments, **options)
        for index in workers:
            self.respawned_wrks[index] -= _GRANIAN_HOPELESS_WITHIN - HOPELESS_WITHIN


class AddressTaken(Conflict):
    """Something else listens there, or nothing can."""

    code = "address_taken"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that serve.")
@click.option("--reload", "reloads", is_flag=True, help="Start anew when Portico's source changes.")
def serve(*, host: str, port: int, workers: int, reloads: bool) -> None:
    """Serve the API, after having brought the database's schema to the revision that it needs."""
    settings = load_settings()
    _refuse_workers(settings, workers)
    configure_logging(settings)
    with reserved(host, port) as address:
        if not settings.is_memory:
            asyncio.run(prepare(settings))
        server = make_server(settings, address=address, port=port, workers=workers, reloads=reloads)
        server.on_startup(lambda: _announce(settings, host, port))
        server.serve(target_loader=functools.partial(load_app, settings), wrap_loader=False)


@contextmanager
def reserved(host: str, port: int) -> Iterator[str]:
    """Keep others from the port, and yield the host's address; granian alone would share it with whoever asks.

    Raises AddressTaken.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address, family=family).close()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise AddressTaken(f"can't listen on {host}, port {port}: {reason}") from error
    with socket.socket(family, kind) as reservation:
        # Bound without listening: workers, which share the port, may listen there, and another server may not.
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind(address)
        yield str(address[0])


async def prepare(settings: Settings) -> None:
    """Wait for the database, migrate it, and see that its signing keys can be opened. Raises DomainError.

    This happens before the workers are forked, and closes all that it opened: no thread, no connection is handed down.
    """
    for wait in (*WAITS_FOR_DATABASE, None):
        container = make_container(settings)
        try:
            await _migrate(container)
        except Unavailable as error:
            if wait is None or type(error) is not Unavailable:
                raise
            print_message(f"portico: waiting for the database: {one_line(error.__cause__)}")
            await asyncio.sleep(wait)
        else:
            return
        finally:
            await container.close()


async def _migrate(container: AsyncContainer) -> None:
    schema = await container.get(Schema)
    await schema.upgrade()
    access_tokens = await container.get(AccessTokens)
    await access_tokens.jwks()


def make_server(settings: Settings, *, address: str, port: int, workers: int, reloads: bool) -> MPServer:
    """Return the server, not started. Some of its options, and what they are for.

    ==========================  ==================================================================================
    `respawn_failed_workers`    without it, the death of one worker ends them all
    `workers_kill_timeout`      a worker that does not stop by then is killed; without it the server may hang
    `backpressure`              connections that a worker accepts at once; others wait in the backlog
    `header_read_timeout`       slow clients must not occupy those
    `log_dictconfig`            granian's own handlers would write to stdout, in a format of their own
    ==========================  ==================================================================================
    """
    if reloads:
        # Forked workers would have the modules that this process imported, however much these changed since.
        multiprocessing.set_start_method("spawn", force=True)
    return _Supervisor(
        "portico",
        address=address,
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=workers,
        websockets=False,
        backpressure=CONNECTIONS_PER_WORKER,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_READ_TIMEOUT_MS),
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


def load_app(settings: Settings) -> Litestar:
    """Return the application, in the worker that will serve it."""
    # Forked workers inherit the supervisor's handlers, under which they could not be stopped until they listen.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        # A supervisor that is killed can't stop its workers, which would serve on and keep the port.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    configure_logging(settings)
    # Imported here and not above, so that the supervisor stays small, and a reloaded worker has what changed.
    from entrypoints.http.app import create_app  # noqa: PLC0415

    app = create_app(settings)
    # What exists by now lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)
    return app


def _refuse_workers(settings: Settings, workers: int) -> None:
    if workers == 1:
        return
    if settings.is_memory:
        raise click.UsageError("With PORTICO_DATABASE_URL=memory: each worker would have data of its own; use one.")
    if settings.is_sqlite and sqlite3.sqlite_version_info < SQLITE_FOR_PROCESSES:
        raise click.UsageError(
            f"SQLite {sqlite3.sqlite_version} can corrupt a file that several processes write: "
            "use one worker, SQLite 3.51.3 or newer, or PostgreSQL."
        )


def _announce(settings: Settings, host: str, port: int) -> None:
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    print_message(f"Portico serves its API at {address}/api/v1")
    print_message(f"Documentation: {f'{address}/docs' if settings.docs else 'off; PORTICO_DOCS=on turns it on'}")
    if settings.is_memory:
        print_message("All data are in memory: lost when the server stops, and out of reach of other commands")
    else:
        print_message("To make an administrator: portico users create you@example.org --role admin")

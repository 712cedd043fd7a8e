"""`portico serve`: the command, and what it refuses before anything is loaded or started."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import click

from domain.errors import Conflict
from entrypoints.cli.loading import loading
from entrypoints.settings import Settings, load_settings

SQLITE_FOR_PROCESSES = (3, 51, 3)
"""The first SQLite whose write-ahead log several processes cannot corrupt when one of them resets it."""


class AddressTaken(Conflict):
    """Something else listens there, or nothing can."""

    code = "address_taken"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that serve.")
@click.option("--worker/--no-worker", "works", default=True, help="Deliver mail and purge what expired, too.")
@click.option("--reload", "reloads", is_flag=True, help="Start anew when Portico's source changes.")
def serve(*, host: str, port: int, workers: int, reloads: bool, works: bool) -> None:
    """Serve the API, after having brought the database's schema to the revision that it needs."""
    settings = load_settings()
    _refuse_workers(settings, workers)
    with reserved(host, port) as address:
        # All of Portico comes with it: no refusal has to wait for that.
        with loading("entrypoints.cli.server"):
            from entrypoints.cli import server  # noqa: PLC0415
            from entrypoints.container import providers_for  # noqa: PLC0415

            # What is loaded here is shared by all workers.
            providers_for(settings)

        server.start(settings, host=host, address=address, port=port, workers=workers, reloads=reloads, works=works)


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

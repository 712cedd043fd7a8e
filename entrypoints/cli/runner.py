"""Running use cases on the command line: the settings, the container and a request's scope around a command."""

import asyncio
import functools
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from dishka import AsyncContainer
from dishka.integrations.base import wrap_injection

from application.health import StorageHealth
from application.schema import Schema, UnknownRevision
from domain.errors import Conflict, Unavailable
from entrypoints.cli.loading import loading
from entrypoints.cli.messages import one_line, print_message
from entrypoints.cli.signals import ENDS, Ended, end
from entrypoints.settings import Settings, load_settings

_SQLITE = "(_connection_worker_thread)"
"""How Python names aiosqlite's threads, after what they run."""
_LAST_WORDS = 5
_A_MOMENT = 0.002
"""Seconds, both."""


class NothingToReach(Conflict):
    """There is no database."""

    code = "nothing_to_reach"
    detail = (
        "PORTICO_DATABASE_URL is memory: so all data are inside the server's process, where no command can reach them."
    )


class SchemaBehind(Conflict):
    """The database's schema is not this version's."""

    code = "schema_behind"
    detail = "The database's schema is not the one that this version needs; run: portico database upgrade"


async def require_head(schema: Schema) -> None:
    """Return if the schema is the one that this version needs. Raises SchemaBehind, UnknownRevision, Unavailable."""
    revision = await schema.current()
    if revision == schema.head():
        return
    raise SchemaBehind if revision is None or schema.knows(revision) else UnknownRevision


def injected[**P, R](command: Callable[P, Awaitable[R]]) -> Callable[..., R]:
    """Run the command with what its `FromDishka` parameters ask for, on a database that is ready; return what it does.

    A SQLite file is made and migrated where that is due; any other database has to be at the head.
    Raises SettingsError, NothingToReach, SchemaBehind, UnknownRevision, and whatever the command raises.
    """
    return _injected(command, _prepare)


def injected_as_is[**P, R](command: Callable[P, Awaitable[R]]) -> Callable[..., R]:
    """Run the command as `injected` does, whatever schema the database has."""
    return _injected(command, _open)


def _injected[**P, R](
    command: Callable[P, Awaitable[R]], prepare: Callable[[Settings, AsyncContainer], Awaitable[None]]
) -> Callable[..., R]:
    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> R:
        settings = load_settings()
        if settings.is_memory:
            raise NothingToReach
        # All adapters come with it: neither --help nor a usage error has to wait for them.
        with loading("entrypoints.container"):
            from entrypoints.container import make_container, providers_for  # noqa: PLC0415

            providers_for(settings)
            loop_factory = serving_loop_factory()

        async def within_container() -> R:
            container = make_container(settings)
            call = wrap_injection(
                func=command, is_async=True, manage_scope=True, container_getter=lambda _args, _kwargs: container
            )
            try:
                with telling_of_new_database(settings):
                    await prepare(settings, container)
                done: R = await call(*args, **kwargs)
                return done
            finally:
                await container.close()

        try:
            return run_until_ended(within_container(), loop_factory=loop_factory)
        except Unavailable as error:
            if type(error) is Unavailable and isinstance(error.__cause__, OSError) and not settings.is_sqlite:
                # uvloop does not say which host refused.
                where = urlsplit(settings.database_url).netloc.rpartition("@")[2] or "the database"
                raise Unavailable(str(error)) from OSError(f"{where}: {one_line(error.__cause__)}")
            raise

    return run


def run_until_ended[R](
    command: Coroutine[Any, Any, R], *, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> R:
    """Run the command to its end, or cancel it where a signal comes; a second one is not waited for. Raises Ended.

    The threads of SQLite that it started have ended then, unless they take longer than they should.
    """
    came: list[int] = []
    before = set(threading.enumerate())

    async def cancelled_by_signals() -> R:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def cancel(number: int, frame: FrameType | None) -> None:
            if came:
                end(number, frame)
            came.append(number)
            task.cancel()
            # The loop may be waiting, and does not look at its tasks again unless it is woken.
            loop.call_soon_threadsafe(lambda: None)

        heard = [number for number in ENDS if signal.getsignal(number) is end]
        for number in heard:
            signal.signal(number, cancel)
        try:
            return await command
        finally:
            # One that is left behind would tell a loop that is closed, and print that it can't.
            deadline = loop.time() + _LAST_WORDS
            while _threads_of_sqlite(before) and loop.time() < deadline:  # noqa: ASYNC110 - threads tell nobody
                await asyncio.sleep(_A_MOMENT)
            for number in heard:
                signal.signal(number, end)

    try:
        return asyncio.run(cancelled_by_signals(), loop_factory=loop_factory)
    except asyncio.CancelledError:
        if not came:
            raise
        raise Ended(came[0]) from None


def _threads_of_sqlite(others: set[threading.Thread]) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each not in others and _SQLITE in each.name]


def serving_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes a loop of the kind that serves; None, which means asyncio's own, on a system without one.

    With asyncio's own, asyncpg fails with a TypeError where it goes on writing to a connection that has just been lost.
    """
    try:
        import uvloop  # noqa: PLC0415 - it takes as long as all of --help
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _prepare(settings: Settings, container: AsyncContainer) -> None:
    health = await container.get(StorageHealth)
    if await health.is_current():
        return
    schema = await container.get(Schema)
    if settings.is_sqlite:
        await schema.upgrade()
        return
    await require_head(schema)
    # What is read from lags behind what is written to.
    raise SchemaBehind


async def _open(_settings: Settings, container: AsyncContainer) -> None:
    # A file is made here rather than by the command, which prints.
    schema = await container.get(Schema)
    await schema.current()


@contextmanager
def telling_of_new_database(settings: Settings) -> Iterator[None]:
    """Say so if what is done within makes a database: in a wrong folder, nothing else tells that all data are amiss."""
    path = settings.database_url.removeprefix("sqlite:///") if settings.is_sqlite else None
    is_missing = path is not None and not os.path.exists(path)  # noqa: PTH110 - pathlib's may raise
    try:
        yield
    finally:
        if path is not None and is_missing and os.path.exists(path):  # noqa: PTH110 - likewise
            print_message(f"Made a new database: {path}")

"""What tests may ask for: databases, storages, a container on each of them, and a clock."""

import asyncio
import io
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa
from dishka import AsyncContainer

from adapters.sql import migrations
from adapters.sql.base import metadata
from adapters.sql.engines import Engines, make_engines
from adapters.sql.migrations import make_migration_engine
from entrypoints.cli.runner import serving_loop_factory
from entrypoints.logs import configure_logging
from entrypoints.settings import Settings
from tests.clock import FixedClock
from tests.cluster import MISSING, URL_VARIABLE, find_programs, start_cluster
from tests.conftest import STORAGES, cluster_folder
from tests.containers import Given, Override, Overrides, container_for, settings_for
from tests.postgres import Server

PATIENCE = 30
"""Seconds to wait for a connection: on a busy machine fifty who want one at once may need more than in production."""

_EMPTY_TABLES = ";".join(str(sa.delete(table)) for table in reversed(metadata.sorted_tables))

# The machine that runs the tests may be busy: how long an example takes is no test's subject.
hypothesis.settings.register_profile("portico", deadline=None, max_examples=50)
hypothesis.settings.load_profile("portico")


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    """Write what happens as a server does: structlog's own way of it is coloured, and slower than many a request."""
    configure_logging(settings_for("memory:"), _Stderr())


class _Stderr(io.StringIO):
    """What stderr is at the moment: pytest changes it from test to test."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run asynchronous tests on the loop that serves."""
    return {"the loop that serves": serving_loop_factory() or asyncio.new_event_loop}


# --- quick tests are quick

_NOT_QUICK = {"sqlite3.connect": "sqlite", "subprocess.Popen": "process", "os.fork": "process"}
"""The marks of tests that do this."""

_done: set[str] = set()


def _audit(event: str, _: object) -> None:
    if event in _NOT_QUICK:
        _done.add(event)


sys.addaudithook(_audit)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Fail a test that is taken for quick, and is not: its mark is missing."""
    _done.clear()
    yield
    if _done and item.get_closest_marker("quick"):
        pytest.fail(f"It needs the mark {_NOT_QUICK[_done.pop()]}.", pytrace=False)


# --- databases


@pytest.fixture(scope="session")
def postgresql_server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """Provide a server on which databases can be made."""
    url = os.environ.get(URL_VARIABLE)
    if url:
        server = Server(url, outlives_the_run=True)
    else:
        programs = find_programs()
        if programs is None:
            pytest.skip(MISSING)
        server = Server(start_cluster(cluster_folder(pytestconfig), programs), outlives_the_run=False)
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: Server) -> str:
    """Provide the URL of a migrated database to copy. Nobody may be connected to it."""
    url = postgresql_server.create()
    _migrate(url)
    return url


@pytest.fixture(scope="session")
def _postgresql_shared(postgresql_server: Server, postgresql_template: str) -> str:
    """The database of most tests, emptied before each."""
    return postgresql_server.create(copy_of=postgresql_template)


@pytest.fixture(scope="session")
def postgresql_spare(postgresql_server: Server, postgresql_template: str) -> str:
    """Provide the URL of a migrated database for tests that need no empty tables and are rough with connections."""
    return postgresql_server.create(copy_of=postgresql_template)


@pytest.fixture
def postgresql_copy(postgresql_server: Server, postgresql_template: str) -> str:
    """Provide the URL of a migrated database for one test, which may change its schema."""
    return postgresql_server.create(copy_of=postgresql_template)


@pytest.fixture
def postgresql_blank(postgresql_server: Server) -> str:
    """Provide the URL of a database without tables, for one test."""
    return postgresql_server.create()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a migrated file to copy. Nobody may be connected to it."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _sqlite_shared(sqlite_template: Path) -> Path:
    """The file of most tests, emptied before each."""
    return Path(shutil.copy(sqlite_template, sqlite_template.with_name("shared.db")))


@pytest.fixture
def sqlite_copy(sqlite_template: Path, tmp_path: Path) -> Path:
    """Provide a migrated file for one test."""
    return Path(shutil.copy(sqlite_template, tmp_path / "copy.db"))


def _migrate(url: str) -> None:
    async def upgrade() -> None:
        engine = make_migration_engine(url)
        try:
            await migrations.upgrade(engine)
        finally:
            await engine.dispose()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as loop:
        loop.run(upgrade())


# --- storages, and a container on each


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Settings:
    """Provide the settings of an installation on each storage, its tables there and empty.

    `@pytest.mark.parametrize("storage", ["memory"], indirect=True)` chooses among them.
    """
    match request.param:
        case "sqlite":
            path: Path = request.getfixturevalue("_sqlite_shared")
            with closing(sqlite3.connect(path, timeout=5)) as connection:
                connection.executescript(f"PRAGMA synchronous=OFF; {_EMPTY_TABLES}")
            return settings_for(f"sqlite:///{path}")
        case "postgresql":
            url: str = request.getfixturevalue("_postgresql_shared")
            server: Server = request.getfixturevalue("postgresql_server")
            server.execute(url, _EMPTY_TABLES)
            return settings_for(url)
        case _:
            return settings_for("memory:")


@pytest.fixture
def clock() -> FixedClock:
    """Provide the time in the container."""
    return FixedClock()


@pytest.fixture(scope="session")
async def engines_of() -> AsyncIterator[Callable[[str], Engines]]:
    """Provide engines that stay connected from test to test."""
    kept: dict[str, Engines] = {}

    def engines_of(url: str) -> Engines:
        if url not in kept:
            kept[url] = make_engines(url, pool_timeout=PATIENCE)
        return kept[url]

    yield engines_of
    for engines in kept.values():
        await engines.dispose()


@pytest.fixture
def overrides(storage: Settings, clock: FixedClock, engines_of: Callable[[str], Engines]) -> tuple[Override, ...]:
    """Provide what to pass to `make_container` or `create_app` after the settings."""
    if storage.is_memory:
        return (Overrides(clock),)
    return (Overrides(clock), Given({Engines: engines_of(storage.database_url)}))


@pytest.fixture
async def container(storage: Settings, overrides: tuple[Override, ...]) -> AsyncIterator[AsyncContainer]:
    """Provide a container on each storage."""
    async with container_for(storage, *overrides) as container:
        yield container

"""Storages, a container on each of them, and the marks that select among them.

`pytest -m "not sqlite and not postgresql"` is the part that needs nothing but this process.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from dishka import AsyncContainer, Provider, Scope, make_async_container

from adapters.security.argon2 import Argon2PasswordHasher
from adapters.sql import migrations
from adapters.sql.base import metadata
from adapters.sql.engines import Engines, make_engines, make_migration_engine
from application.auth.ports import PasswordHasher
from application.ports import Clock
from entrypoints.container import make_container, providers_for
from entrypoints.settings import Settings, load_settings
from tests.builders import SECRET_KEY
from tests.clock import FixedClock
from tests.postgres import MISSING, URL_VARIABLE, ClusterFolder, Server, find_programs, start_cluster

NO_BROWSER = "no Chromium or Chrome with its chromedriver was found (apt-get install chromium chromium-driver)"

STORAGES = ("memory", "sqlite", "postgresql")

PATIENCE = 30
"""Seconds to wait for a connection: on a busy machine fifty who want one at once may need more than in production."""

_FOLDER = pytest.StashKey[ClusterFolder]()
_EMPTY_TABLES = ";".join(str(sa.delete(table)) for table in reversed(metadata.sorted_tables))

# The machine that runs the tests may be busy: how long an example takes is no test's subject.
hypothesis.settings.register_profile("portico", deadline=None, max_examples=50)
hypothesis.settings.load_profile("portico")

_FAST_HASHER = Argon2PasswordHasher(threads=1, memory_kib=8, time_cost=1)


# --- the run


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the storages that it needs."""
    for item in items:
        assert isinstance(item, pytest.Function)
        parameters = list(item.callspec.params.values()) if hasattr(item, "callspec") else []
        fixtures = [name.lstrip("_").partition("_")[0] for name in item.fixturenames]
        for storage in STORAGES:
            if storage in parameters or storage in fixtures:
                item.add_marker(storage)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give all workers of pytest-xdist the same folder for a cluster."""
    node.workerinput["cluster_folder"] = str(_cluster_folder(node.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the cluster: at the end, after an error and after Ctrl-C."""
    folder = config.stash.get(_FOLDER, None)
    if folder is not None:
        folder.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not tested: a database, or the pages."""
    skipped = sum(MISSING in str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    if skipped:
        terminalreporter.section("NOT TESTED ON POSTGRESQL", red=True, bold=True)
        terminalreporter.line(f"{skipped} tests were skipped: {MISSING}.", red=True, bold=True)
    skipped = sum(NO_BROWSER in str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    if skipped:
        terminalreporter.section("PAGES NOT TESTED IN A BROWSER", red=True, bold=True)
        terminalreporter.line(f"{skipped} tests were skipped: {NO_BROWSER}.", red=True, bold=True)


def _cluster_folder(config: pytest.Config) -> Path:
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        return Path(worker["cluster_folder"])
    if _FOLDER not in config.stash:
        config.stash[_FOLDER] = ClusterFolder()
    return config.stash[_FOLDER].path


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
        server = Server(start_cluster(_cluster_folder(pytestconfig), programs), outlives_the_run=False)
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


def settings_for(database_url: str, folder: Path, **variables: str) -> Settings:
    """Return settings that are the default but for these variables, without their prefix."""
    environ = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY} | variables
    return load_settings({f"PORTICO_{name}": value for name, value in environ.items()}, folder=folder)


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Provide the settings of an installation on each storage, its tables there and empty.

    `@pytest.mark.parametrize("storage", ["memory"], indirect=True)` chooses among them.
    """
    match request.param:
        case "sqlite":
            path: Path = request.getfixturevalue("_sqlite_shared")
            with sqlite3.connect(path, timeout=5) as connection:
                connection.executescript(f"PRAGMA synchronous=OFF; {_EMPTY_TABLES}")
            connection.close()
            return settings_for(f"sqlite:///{path}", tmp_path)
        case "postgresql":
            url: str = request.getfixturevalue("_postgresql_shared")
            server: Server = request.getfixturevalue("postgresql_server")
            server.execute(url, _EMPTY_TABLES)
            return settings_for(url, tmp_path)
        case _:
            return settings_for("memory:", tmp_path)


@pytest.fixture
def clock() -> FixedClock:
    """Provide the time in the container."""
    return FixedClock()


@pytest.fixture(scope="session")
async def engines_of() -> AsyncIterator[Callable[[str], Engines]]:
    """Provide engines that stay connected from test to test."""
    kept: dict[str, Engines] = {}

    def engines_of(url: str) -> Engines:
        return kept.setdefault(url, make_engines(url, pool_timeout=PATIENCE))

    yield engines_of
    for engines in kept.values():
        await engines.dispose()


class Given(Provider):
    """Values that a container has in place of what it would make."""

    def __init__(self, values: Mapping[Any, object]) -> None:
        super().__init__(scope=Scope.APP)
        self.values = values
        for kind, value in values.items():
            self.provide(_source_of(value), provides=kind)


def _source_of(value: object) -> Callable[[], object]:
    return lambda: value


class Overrides(Given):
    """What the tests' containers have in place of the real thing: a clock to move, and hashes that cost nothing."""

    def __init__(self, clock: Clock) -> None:
        super().__init__({Clock: clock, PasswordHasher: _FAST_HASHER})


@pytest.fixture
def overrides(storage: Settings, clock: FixedClock, engines_of: Callable[[str], Engines]) -> tuple[Provider, ...]:
    """Provide what to pass to `make_container` or `create_app` after the settings."""
    if storage.is_memory:
        return (Overrides(clock),)
    return (Overrides(clock), Given({Engines: engines_of(storage.database_url)}))


@pytest.fixture(scope="session")
def root_of() -> Callable[[Settings, frozenset[Any]], AsyncContainer]:
    """Provide containers that know everything but the settings and some values, which each test has of its own.

    Making a container costs more than most tests; entering one costs nothing.
    """
    kept: dict[object, AsyncContainer] = {}

    def root_of(settings: Settings, kinds: frozenset[Any]) -> AsyncContainer:
        providers = providers_for(settings)
        key = (*map(type, providers), kinds)
        if key not in kept:
            awaited = Provider(scope=Scope.APP)
            for kind in kinds:
                awaited.from_context(kind)
            kept[key] = make_async_container(*providers, awaited, start_scope=Scope.RUNTIME)
        return kept[key]

    return root_of


@pytest.fixture
async def container(
    storage: Settings,
    overrides: tuple[Provider, ...],
    root_of: Callable[[Settings, frozenset[Any]], AsyncContainer],
) -> AsyncIterator[AsyncContainer]:
    """Provide a container on each storage: what `make_container` makes of the settings and the overrides."""
    values = {kind: value for given in overrides if isinstance(given, Given) for kind, value in given.values.items()}
    if not all(isinstance(override, Given) for override in overrides):
        container = make_container(storage, *overrides)
        yield container
        await container.close()
        return
    root = root_of(storage, frozenset(values))
    async with root({Settings: storage, **values}, scope=Scope.APP, lock_factory=asyncio.Lock) as container:
        yield container

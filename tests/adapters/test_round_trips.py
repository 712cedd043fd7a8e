"""What each call says to the database: counted, not timed, so that it holds on every machine.

A warm read is one statement and one round trip, and only what writes says BEGIN and COMMIT. Whoever makes a call
cheaper changes its line here; whoever makes one dearer says why.
"""

import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from itertools import groupby
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from adapters.security.argon2 import Argon2PasswordHasher
from adapters.sql.engines import Engines, make_engines
from adapters.sql.lane import Driver
from application.auth.ports import PasswordCheck, PasswordHasher
from domain.auth.password import Password
from entrypoints.settings import Settings
from tests.api import Api, Person, serve
from tests.builders import PASSWORD, an_email
from tests.clock import FixedClock
from tests.containers import Given, Overrides, settings_for
from tests.engines import on_connect
from tests.fixtures import PATIENCE
from tests.postgres import Server
from tests.wire import Traffic, watched

ITEMS = 120
BATCH = 1_000


class CountingHasher(PasswordHasher):
    """Counts what it hashes, which costs next to nothing."""

    def __init__(self) -> None:
        self.hashed = 0
        self._hasher = Argon2PasswordHasher(threads=1, memory_kib=8, time_cost=1)

    async def hash(self, password: Password) -> str:
        self.hashed += 1
        return await self._hasher.hash(password)

    async def check(self, password: Password, password_hash: str | None) -> PasswordCheck:
        self.hashed += 1
        return await self._hasher.check(password, password_hash)


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as `Api.call` takes it."""

    method: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)
    signed_in: bool = True


@dataclass(frozen=True, slots=True)
class Installation:
    """An installation, and what it asks of its database."""

    api: Api
    clock: FixedClock
    hasher: CountingHasher
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Household:
    """Somebody with some items in an installation."""

    api: Api
    ann: Person

    async def an_item(self) -> str:
        """Return the path of a new item."""
        return f"/items/{(await self.api.post('/items', self.ann, json={'title': 'Milk'})).json()['id']}"


async def show_an_item(at: Household) -> Call:
    return Call("GET", await at.an_item())


async def show_an_item_of_nobody(at: Household) -> Call:
    return Call("GET", f"/items/{at.ann.id}")


async def list_items(_: Household) -> Call:
    return Call("GET", "/items")


async def list_a_later_page(at: Household) -> Call:
    return Call("GET", f"/items?cursor={(await at.api.get('/items', at.ann)).json()['next_cursor']}")


async def search(_: Household) -> Call:
    return Call("GET", "/items?q=number+7")


async def show_oneself(_: Household) -> Call:
    return Call("GET", "/users/me")


async def add_an_item(_: Household) -> Call:
    return Call("POST", "/items", {"json": {"title": "Milk", "tags": ["shop"]}})


async def add_an_item_with_a_key(_: Household) -> Call:
    return Call("POST", "/items", {"json": {"title": "Milk"}, "headers": {"Idempotency-Key": an_email()}})


async def add_a_batch(_: Household) -> Call:
    return Call("POST", "/items/batch", {"json": {"items": [{"title": f"Number {n}"} for n in range(BATCH)]}})


async def edit_an_item(at: Household) -> Call:
    return Call("PATCH", await at.an_item(), {"json": {"title": "Oat"}, "headers": {"If-Match": '"1"'}})


async def edit_a_stale_item(at: Household) -> Call:
    return Call("PATCH", await at.an_item(), {"json": {"title": "Oat"}, "headers": {"If-Match": '"2"'}})


async def delete_an_item(at: Household) -> Call:
    return Call("DELETE", await at.an_item())


async def sign_in(at: Household) -> Call:
    return Call("POST", "/auth/login", {"json": {"email": at.ann.email, "password": PASSWORD}}, signed_in=False)


async def sign_in_as_nobody(_: Household) -> Call:
    return Call("POST", "/auth/login", {"json": {"email": an_email(), "password": PASSWORD}}, signed_in=False)


async def refresh(at: Household) -> Call:
    tokens = (await at.api.login(at.ann.email)).json()
    return Call("POST", "/auth/refresh", {"json": {"refresh_token": tokens["refresh_token"]}}, signed_in=False)


async def ask_for_health(_: Household) -> Call:
    return Call("GET", "//health", signed_in=False)


@dataclass(frozen=True, slots=True)
class Cost:
    """A call, and what it may cost once all that it needs is warm."""

    prepare: Callable[[Household], Awaitable[Call]]
    status: HTTPStatus
    statements: str
    round_trips: int
    rows: int = 0
    hashes: int = 0
    on_sqlite: str | None = None
    """Its statements there, where they are others."""


_TRY = "INSERT "
"""A try is counted in one statement of its own."""

COSTS = [
    Cost(show_an_item, HTTPStatus.OK, "SELECT", 1, rows=1),
    Cost(show_an_item_of_nobody, HTTPStatus.NOT_FOUND, "SELECT", 1),
    # One row more than the page has tells whether there is another page.
    Cost(list_items, HTTPStatus.OK, "SELECT", 1, rows=51),
    Cost(list_a_later_page, HTTPStatus.OK, "SELECT", 1, rows=51),
    Cost(search, HTTPStatus.OK, "WITH", 1, rows=11),
    Cost(show_oneself, HTTPStatus.OK, "SELECT", 1, rows=1),
    Cost(add_an_item, HTTPStatus.CREATED, "INSERT", 1),
    Cost(add_an_item_with_a_key, HTTPStatus.CREATED, _TRY + "BEGIN INSERT UPDATE COMMIT", 5, rows=1),
    # A thousand rows, and one round trip for all.
    Cost(add_a_batch, HTTPStatus.CREATED, f"BEGIN {BATCH}*INSERT COMMIT", 3),
    Cost(edit_an_item, HTTPStatus.OK, "BEGIN SELECT UPDATE COMMIT", 4, rows=1),
    Cost(edit_a_stale_item, HTTPStatus.PRECONDITION_FAILED, "BEGIN SELECT ROLLBACK", 3, rows=1),
    Cost(delete_an_item, HTTPStatus.NO_CONTENT, "BEGIN SELECT DELETE COMMIT", 4, rows=1),
    # Two tries are counted, of which one is given back; then come the session and, in its chain, the event.
    Cost(
        sign_in,
        HTTPStatus.OK,
        _TRY + "2*SELECT " + _TRY + "UPDATE BEGIN SELECT INSERT UPDATE 2*SELECT INSERT COMMIT",
        13,
        rows=7,
        hashes=1,
        on_sqlite=_TRY + "2*SELECT " + _TRY + "UPDATE BEGIN SELECT INSERT UPDATE SELECT INSERT COMMIT",
    ),
    Cost(
        sign_in_as_nobody,
        HTTPStatus.UNAUTHORIZED,
        _TRY + "2*SELECT " + _TRY + "BEGIN 2*SELECT INSERT COMMIT",
        9,
        rows=5,
        hashes=1,
        on_sqlite=_TRY + "2*SELECT " + _TRY + "BEGIN SELECT INSERT COMMIT",
    ),
    Cost(refresh, HTTPStatus.OK, _TRY + "UPDATE", 2, rows=2),
    Cost(ask_for_health, HTTPStatus.OK, "", 0),
]
EACH_CALL = pytest.mark.parametrize("cost", COSTS, ids=lambda cost: cost.prepare.__name__)


def shortened(verbs: list[str]) -> str:
    """Write `["SELECT", "INSERT", "INSERT"]` as `SELECT 2*INSERT`."""
    runs = [(verb, len(list(run))) for verb, run in groupby(verbs)]
    return " ".join(verb if length == 1 else f"{length}*{verb}" for verb, length in runs)


@asynccontextmanager
async def installed(settings: Settings, engines: Engines, traffic: Traffic) -> AsyncGenerator[Installation]:
    clock, hasher = FixedClock(), CountingHasher()
    given = Given({Engines: engines, PasswordHasher: hasher})
    async with serve(settings, Overrides(clock), given) as api:
        yield Installation(api, clock, hasher, traffic)
    await engines.dispose()


@pytest.fixture(scope="module")
def postgresql_url(postgresql_server: Server, postgresql_template: str) -> str:
    """Provide a database in which nobody else has been throttled."""
    return postgresql_server.create(copy_of=postgresql_template)


@pytest.fixture(scope="module")
async def on_postgresql(postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Provide an installation whose reads and writes are counted on the wire; what it listens for is not."""
    async with watched(postgresql_url) as (url, traffic):
        settings = settings_for(postgresql_url, tmp_path_factory.mktemp("counted"))
        async with installed(settings, make_engines(url, pool_timeout=PATIENCE), traffic) as installation:
            yield installation


@pytest.fixture(scope="module")
async def on_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Provide an installation of which the driver tells each statement."""
    folder = tmp_path_factory.mktemp("counted")
    url = f"sqlite:///{shutil.copy(sqlite_template, folder / 'counted.db')}"
    engines, traffic = make_engines(url), Traffic()

    def note(statement: str) -> None:
        # A statement is told again for each trigger that it sets off, and what those do as comments.
        if traffic.statements[-1:] != [statement] and not statement.startswith("--"):
            traffic.statements.append(statement)

    async def trace(driver: Driver) -> None:
        assert isinstance(driver, aiosqlite.Connection)
        await driver.set_trace_callback(note)

    for pool in (engines.read, engines.write):
        on_connect(pool, trace)
    async with installed(settings_for(url, folder), engines, traffic) as installation:
        yield installation


async def spent(installation: Installation, cost: Cost) -> tuple[HTTPStatus, str, int]:
    """Make the call once to warm all up and once to count; return its status, its statements and its hashes."""
    # So that no test is throttled for what others did.
    installation.clock.advance(timedelta(hours=1))
    api, traffic, hasher = installation.api, installation.traffic, installation.hasher
    household = Household(api, await api.a_person())
    items = {"items": [{"title": f"Number {n}"} for n in range(ITEMS)]}
    assert (await api.post("/items/batch", household.ann, json=items)).status_code == HTTPStatus.CREATED
    first, counted = [await cost.prepare(household) for _ in range(2)]
    statuses = []
    for call in (first, counted):
        traffic.forget()
        hasher.hashed = 0
        person = household.ann if call.signed_in else None
        statuses.append((await api.call(call.method, call.path, person, **call.options)).status_code)
    assert statuses[0] == statuses[1]
    return HTTPStatus(statuses[1]), shortened(traffic.verbs), hasher.hashed


@EACH_CALL
async def test_says_no_more_to_postgresql_than_it_must(on_postgresql: Installation, cost: Cost) -> None:
    assert await spent(on_postgresql, cost) == (cost.status, cost.statements, cost.hashes)

    traffic = on_postgresql.traffic
    assert (traffic.round_trips, traffic.rows) == (cost.round_trips, cost.rows)


@EACH_CALL
async def test_says_no_more_to_sqlite_than_it_must(on_sqlite: Installation, cost: Cost) -> None:
    statements = cost.statements if cost.on_sqlite is None else cost.on_sqlite

    assert await spent(on_sqlite, cost) == (cost.status, statements, cost.hashes)

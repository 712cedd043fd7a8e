"""Two applications on one database, as two processes are: what one ends, the other must not let in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from adapters.sql import standing_listener
from adapters.sql.standing_listener import PostgresqlStandingListener
from adapters.sql.unit_of_work import STANDING_CHANNEL
from application.ports import StandingListener, StandingMemory
from entrypoints.settings import Settings
from tests.api import Api, Person, problem, serve
from tests.builders import PASSWORD
from tests.clock import FixedClock
from tests.containers import Given, Override, settings_for
from tests.http.test_sessions import sign_in_again

ON_POSTGRESQL = pytest.mark.parametrize("storage", ["postgresql"], indirect=True)
SOON = 3.0
"""Seconds in which something must have happened that needs milliseconds."""


async def eventually(check: Callable[[], Awaitable[bool]]) -> bool:
    async with asyncio.timeout(SOON):
        while not await check():  # noqa: ASYNC110 - what happens in PostgreSQL sets no event here
            await asyncio.sleep(0.01)
    return True


async def administrate(url: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(sql)
        return rows
    finally:
        await connection.close()


LISTENERS = (
    "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    f"AND (query LIKE 'LISTEN%{STANDING_CHANNEL}%' OR query = 'SELECT 1')"
)


async def listeners(storage: Settings) -> int:
    return len(await administrate(storage.database_url, f"SELECT pid FROM {LISTENERS}"))  # noqa: S608 - ours


async def cut(storage: Settings) -> None:
    await administrate(storage.database_url, f"SELECT pg_terminate_backend(pid) FROM {LISTENERS}")  # noqa: S608


async def is_let_in(api: Api, person: Person, path: str = "/items") -> bool:
    return (await api.get(path, person)).status_code == 200


@asynccontextmanager
async def two_apps(storage: Settings, *overrides: Override) -> AsyncIterator[tuple[Api, Api]]:
    async with serve(storage, *overrides) as here, serve(storage, *overrides) as there:
        if not storage.is_sqlite:

            async def both_listen() -> bool:
                return await listeners(storage) == 2

            await eventually(both_listen)
        yield here, there


async def logout(here: Api, person: Person, admin: Person) -> None:  # noqa: ARG001 - each takes the same
    assert (await here.post("/auth/logout", person)).status_code == 204


async def revoke_others(here: Api, person: Person, admin: Person) -> None:  # noqa: ARG001 - likewise
    other = await sign_in_again(here, person)
    assert (await here.delete("/auth/sessions", other)).status_code == 204


async def reuse(here: Api, person: Person, admin: Person) -> None:  # noqa: ARG001 - likewise
    token = person.tokens["refresh_token"]
    for _ in range(2):
        answer = await here.post("/auth/refresh", json={"refresh_token": token})
        token = answer.json()["refresh_token"]
    problem(
        await here.post("/auth/refresh", json={"refresh_token": person.tokens["refresh_token"]}),
        401,
        "invalid_refresh_token",
    )


async def deactivate(here: Api, person: Person, admin: Person) -> None:
    assert (await here.patch(f"/users/{person.id}", admin, json={"is_active": False})).status_code == 200


async def erase(here: Api, person: Person, admin: Person) -> None:
    assert (await here.delete(f"/users/{person.id}", admin)).status_code == 204


async def erase_oneself(here: Api, person: Person, admin: Person) -> None:  # noqa: ARG001 - likewise
    assert (await here.delete("/users/me", person, json={"password": PASSWORD})).status_code == 204


ENDINGS = [logout, revoke_others, reuse, deactivate, erase, erase_oneself]


@ON_POSTGRESQL
@pytest.mark.parametrize("end", ENDINGS)
async def test_another_process_is_told(
    storage: Settings, overrides: tuple[Override, ...], end: Callable[[Api, Person, Person], Awaitable[None]]
) -> None:
    async with two_apps(storage, *overrides) as (here, there):
        admin, ann, bob = await here.an_admin(), await here.a_person(), await here.a_person()
        assert await is_let_in(there, ann)
        assert await is_let_in(there, bob)

        await end(here, ann, admin)

        async def is_out() -> bool:
            return not await is_let_in(there, ann)

        # The clock stands still: what is remembered would be good for ever, so it is the message that ends it.
        assert await eventually(is_out)
        assert not await is_let_in(here, ann)
        assert await is_let_in(there, bob)


@ON_POSTGRESQL
async def test_another_process_is_told_of_a_demotion(storage: Settings, overrides: tuple[Override, ...]) -> None:
    async with two_apps(storage, *overrides) as (here, there):
        admin, other = await here.an_admin(), await here.an_admin()
        assert await is_let_in(there, other, "/users")

        await here.patch(f"/users/{other.id}", admin, json={"role": "member"})

        async def is_demoted() -> bool:
            return (await there.get("/users", other)).status_code == 403

        assert await eventually(is_demoted)
        assert await is_let_in(there, other)


@ON_POSTGRESQL
async def test_a_process_whose_listener_was_cut_forgets_all_once_it_hears_again(
    storage: Settings, overrides: tuple[Override, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_apps(storage, *overrides) as (here, there):
        ann = await here.a_person()
        assert await is_let_in(there, ann)

        monkeypatch.setattr(standing_listener, "FIRST_WAIT", 0.5)
        await cut(storage)
        await here.post("/auth/logout", ann)
        missed = await is_let_in(there, ann)

        async def is_out() -> bool:
            return not await is_let_in(there, ann)

        assert missed, "the message was heard although nobody listened: this test proves nothing"
        assert await eventually(is_out)
        assert await eventually(lambda: _are(2, storage))


async def _are(number: int, storage: Settings) -> bool:
    return await listeners(storage) == number


class Deaf(StandingListener):
    async def run(self) -> None:
        await asyncio.Event().wait()


NEVER_TOLD = Given({StandingListener: Deaf()})
"""What a process has that never hears anything."""


@pytest.mark.parametrize("storage", ["postgresql", "sqlite"], indirect=True)
@pytest.mark.parametrize("end", ENDINGS)
async def test_a_process_that_hears_nothing_lets_nobody_in_for_longer_than_five_seconds(
    storage: Settings,
    overrides: tuple[Override, ...],
    clock: FixedClock,
    end: Callable[[Api, Person, Person], Awaitable[None]],
) -> None:
    async with (
        serve(storage, *overrides) as here,
        serve(storage, *overrides, NEVER_TOLD) as there,
    ):
        admin, ann = await here.an_admin(), await here.a_person()
        assert await is_let_in(there, ann)

        await end(here, ann, admin)
        clock.advance(timedelta(seconds=5) - timedelta(microseconds=1))
        remembered = await is_let_in(there, ann)
        clock.advance(timedelta(microseconds=1))

        assert remembered
        assert not await is_let_in(there, ann)
        assert not await is_let_in(here, ann)


@pytest.mark.parametrize("storage", ["postgresql", "sqlite"], indirect=True)
async def test_without_a_cache_every_process_knows_at_once(storage: Settings, overrides: tuple[Override, ...]) -> None:
    settings = settings_for(storage.database_url, SESSION_CACHE_SECONDS="0")
    async with (
        serve(settings, *overrides) as here,
        serve(settings, *overrides, NEVER_TOLD) as there,
    ):
        ann = await here.a_person()
        assert await is_let_in(there, ann)

        await here.post("/auth/logout", ann)

        assert not await is_let_in(there, ann)


# --- the listener


class Memory(StandingMemory):
    """Writes down what it is told to forget."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def forget(self, user_id: object) -> None:
        self.forgotten.append(str(user_id))

    def forget_all(self) -> None:
        self.forgotten.append("all")


@asynccontextmanager
async def listening(url: str, memory: Memory, *, check_interval: float = 5) -> AsyncIterator[None]:
    listener = PostgresqlStandingListener(url, memory, check_interval=check_interval)
    task = asyncio.create_task(listener.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@ON_POSTGRESQL
async def test_a_listener_forgets_everybody_when_it_begins_and_at_words_that_it_does_not_know(
    storage: Settings,
) -> None:
    memory = Memory()
    async with listening(storage.database_url, memory):
        await eventually(lambda: _has(memory, 1))
        await administrate(storage.database_url, f"NOTIFY {STANDING_CHANNEL}, 'whoever'")
        await eventually(lambda: _has(memory, 2))
        await administrate(storage.database_url, f"NOTIFY {STANDING_CHANNEL}, '00000000-0000-7000-8000-000000000000'")
        await eventually(lambda: _has(memory, 3))

    assert memory.forgotten == ["all", "all", "00000000-0000-7000-8000-000000000000"]


async def _has(memory: Memory, number: int) -> bool:
    return len(memory.forgotten) >= number


@ON_POSTGRESQL
async def test_a_listener_asks_now_and_then_whether_the_other_end_is_there(storage: Settings) -> None:
    memory = Memory()
    async with listening(storage.database_url, memory, check_interval=0.05):
        await eventually(lambda: _has(memory, 1))

        async def has_asked() -> bool:
            asked = f"SELECT pid FROM {LISTENERS} AND query = 'SELECT 1'"  # noqa: S608 - ours
            return bool(await administrate(storage.database_url, asked))

        assert await eventually(has_asked)


async def test_a_listener_goes_on_trying_while_there_is_no_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(standing_listener, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(standing_listener, "LONGEST_WAIT", 0.004)
    memory = Memory()
    tries: list[str] = []

    async def refuse(url: str) -> None:
        tries.append(url)
        raise ConnectionRefusedError

    monkeypatch.setattr(standing_listener, "connect_postgresql", refuse)

    async with listening(f"postgresql:///x?host={tmp_path}", memory):

        async def has_tried_again() -> bool:
            return len(tries) >= 5

        assert await eventually(has_tried_again)

    assert memory.forgotten == []

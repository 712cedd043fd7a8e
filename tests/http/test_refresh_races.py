"""One refresh token, presented fifty times at once to two applications on one database, or twice in turn."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from dishka import AsyncContainer

from adapters.sql.engines import Engines, make_engines
from application.auth.export import PersonalDataQueries
from application.auth.signing_ports import AccessClaims, AccessTokens
from domain.auth.errors import InvalidAccessToken
from domain.ids import SessionId, UserId
from entrypoints.settings import Settings
from tests.api import Api, Person, serve
from tests.containers import Given, Override, settings_for
from tests.fixtures import PATIENCE
from tests.http.test_revocation import is_let_in
from tests.units import a_unit

pytestmark = pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)

TRIES = 50


async def present(apis: tuple[Api, Api], tokens: dict[str, Any]) -> list[httpx.Response]:
    body = {"refresh_token": tokens["refresh_token"]}
    return await asyncio.gather(*(apis[n % 2].post("/auth/refresh", json=body) for n in range(TRIES)))


async def reuses(api: Api, person: Person) -> int:
    records: PersonalDataQueries = await api.container.get(PersonalDataQueries)
    events = await records.events(UserId(UUID(person.id)), limit=100, after=0)
    return sum(event.action == "session.refresh_token_reused" for event in events)


@pytest.fixture
def unthrottled(storage: Settings) -> Settings:
    """Provide the storage's settings; fifty refreshes of one session at once are more than one client may try."""
    return settings_for(storage.database_url, THROTTLE="off")


@pytest.fixture
async def elsewhere(storage: Settings, overrides: tuple[Override, ...]) -> AsyncIterator[tuple[Override, ...]]:
    """Provide the overrides of a second application, which has connections of its own."""
    engines = make_engines(storage.database_url, pool_timeout=PATIENCE)
    yield (overrides[0], Given({Engines: engines}))
    await engines.dispose()


async def test_within_the_grace_all_get_one_and_the_same_successor(
    unthrottled: Settings, overrides: tuple[Override, ...], elsewhere: tuple[Override, ...]
) -> None:
    async with serve(unthrottled, *overrides) as here, serve(unthrottled, *elsewhere) as there:
        ann = await here.a_person()

        answers = await present((here, there), ann.tokens)

        assert {answer.status_code for answer in answers} == {200}
        (successor,) = {answer.json()["refresh_token"] for answer in answers}
        assert successor.split(".")[1] == "2"
        assert await reuses(here, ann) == 0
        assert (await there.post("/auth/refresh", json={"refresh_token": successor})).status_code == 200


async def test_without_grace_one_wins_and_the_session_ends(
    storage: Settings, overrides: tuple[Override, ...], elsewhere: tuple[Override, ...]
) -> None:
    strict = settings_for(storage.database_url, REFRESH_GRACE_SECONDS="0", THROTTLE="off")
    async with serve(strict, *overrides) as here, serve(strict, *elsewhere) as there:
        ann, bob = await here.a_person(), await here.a_person()

        answers = await present((here, there), ann.tokens)

        assert sorted(answer.status_code for answer in answers) == [200] + [401] * (TRIES - 1)
        (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
        for api in (here, there):
            ended = await api.post("/auth/refresh", json={"refresh_token": winner["refresh_token"]})
            assert ended.status_code == 401
        assert not await is_let_in(here, Person(ann.id, ann.email, winner))
        assert await is_let_in(here, bob)
        assert await reuses(here, ann) == 1


class TokensThatTakeTurns(AccessTokens):
    """Access tokens that are issued once another unit of work has had its turn."""

    container: AsyncContainer

    async def prepare(self) -> None:
        """There are no keys."""

    async def issue(self, *, user_id: UserId, session_id: SessionId, expires_at: datetime) -> str:
        async with asyncio.timeout(5), a_unit(self.container) as unit:
            session = await unit.sessions.find(session_id)
        assert session is not None
        return f"{user_id} until {expires_at}"

    async def read(self, token: str) -> AccessClaims:  # noqa: ARG002 - the port names it
        raise InvalidAccessToken

    async def jwks(self) -> dict[str, list[dict[str, str]]]:
        return {"keys": []}


async def test_nobody_waits_while_an_access_token_is_signed(storage: Settings, overrides: tuple[Override, ...]) -> None:
    tokens = TokensThatTakeTurns()
    async with serve(storage, *overrides, Given({AccessTokens: tokens})) as api:
        tokens.container = api.container
        ann = await api.a_person()

        body = {"refresh_token": ann.tokens["refresh_token"]}
        fresh, again = [await api.post("/auth/refresh", json=body) for _ in range(2)]

    assert (fresh.status_code, again.status_code) == (200, 200)

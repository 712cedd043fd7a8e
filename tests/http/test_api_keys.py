"""API keys over HTTP: what they may do, what they never reach, and when they end."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from dishka import AsyncContainer
from litestar.routes import HTTPRoute

from adapters.memory.audit import AUDIT_EVENTS
from adapters.memory.store import MemoryStore
from application.auth.api_key_cache import ApiKeyUseLog
from domain.access import Role, Scope
from domain.audit import AuditAction, AuditLink
from domain.ids import UserId
from domain.users.user import User
from tests.api import Api, Person, certainly, pointers, problem
from tests.builders import an_id
from tests.clock import NOW, FixedClock
from tests.units import a_unit

ALL = [scope.value for scope in Scope]
A_YEAR = timedelta(days=365)


async def create(api: Api, person: Person, *scopes: str, **fields: Any) -> httpx.Response:
    body = {"name": "CI", "scopes": list(scopes or ("items:read",))} | fields
    return await api.post("/auth/api-keys", person, json=body)


async def a_key(api: Api, person: Person, *scopes: str, **fields: Any) -> dict[str, Any]:
    answer = await create(api, person, *scopes, **fields)
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


def by(key: dict[str, Any] | str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key if isinstance(key, str) else key['key']}"}


async def listed(api: Api, person: Person) -> list[dict[str, Any]]:
    answer = await api.get("/auth/api-keys", person)
    assert answer.status_code == 200
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


def container_of(api: Api) -> AsyncContainer:
    return api.container


async def change(api: Api, person: Person, change: Callable[[User], None]) -> None:
    """Change the account as an administrator would."""
    async with a_unit(container_of(api)) as unit:
        account = await unit.users.get(UserId(UUID(person.id)))
        account.rename(account.full_name, now=account.updated_at)
        change(account)
        await unit.users.save(account)
        await unit.standing_changes.announce(account.id)
        await unit.commit()


def becomes(role: Role) -> Callable[[User], None]:
    return lambda account: setattr(account, "role", role)


# --- making and showing


async def test_shows_a_new_key_this_once(stored_api: Api) -> None:
    person = await stored_api.a_person()

    key = await a_key(stored_api, person, "items:write", "items:read", expires_at="2026-03-02T01:00:00+01:00")

    assert key["key"].startswith("ptk_")
    assert key["prefix"] == key["key"][:20]
    assert key["scopes"] == ["items:read", "items:write"]
    assert (key["created_at"], key["expires_at"]) == ("2026-03-01T12:00:00.123456Z", "2026-03-02T00:00:00Z")
    assert key["last_used_at"] is None
    assert await listed(stored_api, person) == [{name: key[name] for name in key if name != "key"}]


async def test_a_key_without_an_end_ends_in_a_year(api: Api, ann: Person) -> None:
    for key in (await a_key(api, ann), await a_key(api, ann, expires_at=None)):
        assert datetime.fromisoformat(key["expires_at"]) == NOW + A_YEAR


async def test_lists_ones_own_keys_the_oldest_first(api: Api, ann: Person, clock: FixedClock) -> None:
    first = await a_key(api, ann)
    clock.advance(timedelta(seconds=1))
    second = await a_key(api, ann)
    await a_key(api, await api.a_person())

    assert [key["id"] for key in await listed(api, ann)] == [first["id"], second["id"]]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"expires_at": "2026-03-02T00:00:00"}, "/expires_at"),
        ({"expires_at": "2026-03-01T12:00:00.123456Z"}, "/expires_at"),
        ({"expires_at": "2027-03-01T12:00:00.123457Z"}, "/expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "/expires_at"),
        ({"expires_at": 1}, "/expires_at"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["credentials"]}, "/scopes/0"),
        ({"scopes": ["items:read", "items:read:any"]}, "/scopes/1"),
        ({"scopes": "items:read"}, "/scopes"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"owner_id": "019a7b1c-0000-7000-8000-000000000000"}, "/owner_id"),
        ({"key": "ptk_mine"}, "/key"),
        ({"last_used_at": None}, "/last_used_at"),
    ],
)
async def test_refuses_what_is_no_key(api: Api, ann: Person, fields: dict[str, Any], pointer: str) -> None:
    assert pointers(await create(api, ann, **fields)) == [pointer]
    assert await listed(api, ann) == []


async def test_makes_fifty_keys_and_no_more(api: Api, ann: Person) -> None:
    keys = [await a_key(api, ann) for _ in range(50)]

    problem(await create(api, ann), 409, "too_many_api_keys")
    await api.delete(f"/auth/api-keys/{keys[0]['id']}", ann)
    await a_key(api, ann)
    await a_key(api, await api.a_person())


async def test_makes_one_fiftieth_key_when_many_want_to_at_once(stored_api: Api) -> None:
    person = await stored_api.a_person()
    for _ in range(49):
        await a_key(stored_api, person)

    answers = await asyncio.gather(*(certainly(lambda: create(stored_api, person)) for _ in range(20)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19


async def test_strangers_make_and_see_no_keys(api: Api, ann: Person) -> None:
    body = {"name": "CI", "scopes": ["items:read"], "owner_id": ann.id}

    problem(await api.post("/auth/api-keys", json=body), 401, "unauthenticated")
    problem(await api.get("/auth/api-keys"), 401, "unauthenticated")
    problem(await api.delete(f"/auth/api-keys/{an_id()}"), 401, "unauthenticated")


async def test_making_and_revoking_is_recorded(api: Api, ann: Person) -> None:
    key = await a_key(api, ann, "items:read", "audit:read")
    await api.delete(f"/auth/api-keys/{key['id']}", ann)

    store: MemoryStore = await container_of(api).get(MemoryStore)
    recorded = [stored.event for stored in store.table(AUDIT_EVENTS, AuditLink).values()]
    events = [event for event in recorded if event.action.startswith("api_key.")]
    assert [event.action for event in events] == [AuditAction.API_KEY_CREATED, AuditAction.API_KEY_REVOKED]
    assert {(str(event.actor_id), str(event.subject_id)) for event in events} == {(ann.id, key["id"])}
    assert json.loads(events[0].data) == {"scopes": "items:read audit:read"}


# --- using


async def test_a_key_does_what_its_scopes_say(stored_api: Api) -> None:
    person = await stored_api.a_person()
    reader = by(await a_key(stored_api, person, "items:read"))
    writer = by(await a_key(stored_api, person, "items:write"))

    added = await stored_api.post("/items", headers=writer, json={"title": "Milk"})
    seen = await stored_api.get(f"/items/{added.json()['id']}", headers=reader)

    assert (added.status_code, seen.status_code) == (201, 200)
    assert added.json()["owner_id"] == person.id
    problem(await stored_api.post("/items", headers=reader, json={"title": "Milk"}), 403, "forbidden")
    problem(await stored_api.get("/items", headers=writer), 403, "forbidden")
    problem(await stored_api.get("/users/me", headers=reader), 403, "forbidden")


async def test_a_key_does_no_more_than_its_owner_may(api: Api, ann: Person) -> None:
    key = by(await a_key(api, ann, *ALL))

    assert (await api.get("/users/me", headers=key)).json()["id"] == ann.id
    problem(await api.get("/users", headers=key), 403, "forbidden")


async def test_a_change_of_role_holds_for_the_next_request(stored_api: Api) -> None:
    person = await stored_api.a_person()
    key = by(await a_key(stored_api, person, "users:read"))
    found = []

    for role in (Role.MEMBER, Role.ADMIN, Role.MEMBER):
        await change(stored_api, person, becomes(role))
        found.append((await stored_api.get("/users", headers=key)).status_code)

    assert found == [403, 200, 403]


async def test_a_key_gets_no_answer_again_that_it_would_not_get_itself(stored_api: Api) -> None:
    person = await stored_api.a_person()
    reader, writer = [by(await a_key(stored_api, person, scope)) for scope in ("items:read", "items:write")]
    once = {"Idempotency-Key": "once"}
    made = await stored_api.post("/items", person, json={"title": "Milk"}, headers=once)

    problem(await stored_api.post("/items", json={"title": "Milk"}, headers=reader | once), 403, "forbidden")

    first, again = [await stored_api.post("/items", json={"title": "Milk"}, headers=writer | once) for _ in range(2)]
    assert made.json()["id"] != first.json()["id"] == again.json()["id"]


async def test_a_key_of_a_deactivated_owner_is_refused_at_once(stored_api: Api) -> None:
    person = await stored_api.a_person()
    key = by(await a_key(stored_api, person))
    before = await stored_api.get("/items", headers=key)

    await change(stored_api, person, lambda account: setattr(account, "is_active", False))

    assert before.status_code == 200
    problem(await stored_api.get("/items", headers=key), 401, "invalid_token")


async def test_a_revoked_key_is_refused_at_once(stored_api: Api) -> None:
    person = await stored_api.a_person()
    key = await a_key(stored_api, person)
    before = await stored_api.get("/items", headers=by(key))

    revoked = await stored_api.delete(f"/auth/api-keys/{key['id']}", person)

    assert (before.status_code, revoked.status_code, revoked.content) == (200, 204, b"")
    problem(await stored_api.get("/items", headers=by(key)), 401, "invalid_token")
    problem(await stored_api.delete(f"/auth/api-keys/{key['id']}", person), 404, "not_found")
    assert await listed(stored_api, person) == []


async def test_nobody_revokes_the_key_of_somebody_else(api: Api, ann: Person) -> None:
    key, bob = await a_key(api, ann), await api.a_person()

    others = problem(await api.delete(f"/auth/api-keys/{key['id']}", bob), 404, "not_found")
    nobodys = problem(await api.delete(f"/auth/api-keys/{an_id()}", bob), 404, "not_found")

    assert others["detail"] == nobodys["detail"]
    assert (await api.get("/items", headers=by(key))).status_code == 200


async def test_a_key_lasts_to_its_very_end(api: Api, ann: Person, clock: FixedClock) -> None:
    key = by(await a_key(api, ann, expires_at=(NOW + timedelta(seconds=3)).isoformat()))

    clock.advance(timedelta(seconds=3) - timedelta(microseconds=1))
    assert (await api.get("/items", headers=key)).status_code == 200
    clock.advance(timedelta(microseconds=1))
    problem(await api.get("/items", headers=key), 401, "invalid_token")


async def test_no_part_of_a_key_and_no_flipped_one_is_good(api: Api, ann: Person) -> None:
    key: str = (await a_key(api, ann))["key"]
    forged = [key[:length] for length in range(1, len(key))]
    forged += [
        key[:place] + chr(ord(key[place]) ^ (1 << bit)) + key[place + 1 :]
        for place in range(len(key))
        for bit in range(7)
    ]

    for token in forged:
        if token.isascii() and token.isprintable() and token == token.strip():
            problem(await api.get("/items", headers=by(token)), 401, "invalid_token")


async def test_a_key_is_no_token_of_another_kind(api: Api, ann: Person) -> None:
    key = (await a_key(api, ann, *ALL))["key"]

    problem(await api.post("/auth/refresh", json={"refresh_token": key}), 401, "invalid_refresh_token")
    problem(await api.post("/auth/login/mfa", json={"mfa_token": key, "code": "123456"}), 401, "invalid_mfa_token")
    problem(await api.login(ann.email, key), 401, "invalid_credentials")


def private_below_auth(api: Api) -> list[tuple[str, str]]:
    """Return method and path of all that only somebody who is signed in may call below `/auth`."""
    return [
        (method, re.sub(r"\{[^}]*\}", str(an_id()), route.path.removeprefix("/api/v1")))
        for route in api.app.litestar.routes
        if isinstance(route, HTTPRoute) and route.path.startswith("/api/v1/auth/")
        for method, (handler, _) in route.route_handler_map.items()
        if handler.opt.get("private")
    ]


async def test_a_key_never_reaches_credentials(api: Api, ann: Person) -> None:
    await change(api, ann, becomes(Role.ADMIN))
    key = await a_key(api, ann, *ALL)
    calls = private_below_auth(api)

    assert {("POST", "/auth/api-keys"), ("POST", "/auth/mfa/totp"), ("POST", "/auth/logout")} <= set(calls)
    for method, path in calls:
        problem(await api.call(method, path, headers=by(key), json={}), 403, "forbidden")
    assert len(await listed(api, ann)) == 1


# --- when it was used


async def settle(api: Api) -> None:
    log: ApiKeyUseLog = await container_of(api).get(ApiKeyUseLog)
    await log.close()


async def test_shows_to_the_minute_when_a_key_was_used(stored_api: Api, clock: FixedClock) -> None:
    person = await stored_api.a_person()
    key = await a_key(stored_api, person)
    seen = []

    for seconds in (0, 59, 1):
        clock.advance(timedelta(seconds=seconds))
        answers = await asyncio.gather(*(stored_api.get("/items", headers=by(key)) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {200}
        await settle(stored_api)
        seen.append(datetime.fromisoformat((await listed(stored_api, person))[0]["last_used_at"]))

    assert seen == [NOW, NOW, NOW + timedelta(minutes=1)]


async def test_a_refused_key_was_not_used(api: Api, ann: Person, clock: FixedClock) -> None:
    key = await a_key(api, ann, expires_at=(NOW + timedelta(seconds=1)).isoformat())
    clock.advance(timedelta(seconds=1))

    problem(await api.get("/items", headers=by(key)), 401, "invalid_token")
    await settle(api)

    assert (await listed(api, ann))[0]["last_used_at"] is None

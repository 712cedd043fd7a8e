"""Every route of the application, tried by everybody who must not get through: it fails for a route it does not know.

A route's line says who may call it: `anyone`, `members` (with what is their own), or `admins`.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from adapters.sql.base import metadata
from tests.api import Api, Person, pointers
from tests.builders import PASSWORD, an_email

USER, ITEM, SESSION, KEY = "{user_id:uuid}", "{item_id:uuid}", "{session_id:uuid}", "{key_id:uuid}"


@dataclass(frozen=True, slots=True)
class Route:
    """Who may call a route, and a body that it takes."""

    who: str
    body: dict[str, Any] | None = None


ROUTES = {
    ("GET", "/health"): Route("anyone"),
    ("GET", "/health/ready"): Route("anyone"),
    ("GET", "/.well-known/jwks.json"): Route("anyone"),
    ("POST", "/api/v1/users"): Route("anyone", {"email": "new@example.org", "password": PASSWORD}),
    ("POST", "/api/v1/auth/login"): Route("anyone", {"email": "new@example.org", "password": PASSWORD}),
    ("POST", "/api/v1/auth/refresh"): Route("anyone", {"refresh_token": "x"}),
    ("POST", "/api/v1/auth/token"): Route("anyone"),
    ("GET", "/account/verify"): Route("anyone"),
    ("GET", "/account/reset"): Route("anyone"),
    ("GET", "/account/email"): Route("anyone"),
    ("POST", "/api/v1/auth/password/forgot"): Route("anyone", {"email": "new@example.org"}),
    ("POST", "/api/v1/auth/password/reset"): Route("anyone", {"token": "x", "new_password": PASSWORD}),
    ("POST", "/api/v1/auth/email/verify"): Route("anyone", {"token": "x", "password": PASSWORD}),
    ("POST", "/api/v1/auth/login/mfa"): Route("anyone", {"mfa_token": "x", "code": "123456"}),
    ("POST", "/api/v1/auth/logout"): Route("members"),
    ("POST", "/api/v1/auth/password/change"): Route(
        "members", {"current_password": PASSWORD, "new_password": f"another {PASSWORD}"}
    ),
    ("POST", "/api/v1/auth/email/verification"): Route("members"),
    ("POST", "/api/v1/users/me/email"): Route("members", {"email": "new@example.org", "password": PASSWORD}),
    ("POST", "/api/v1/auth/mfa/totp"): Route("members", {"password": PASSWORD}),
    ("POST", "/api/v1/auth/mfa/totp/confirm"): Route("members", {"code": "123456"}),
    ("DELETE", "/api/v1/auth/mfa/totp"): Route("members", {"password": PASSWORD, "code": "123456"}),
    ("POST", "/api/v1/auth/api-keys"): Route("members", {"name": "CI", "scopes": ["items:read"]}),
    ("GET", "/api/v1/auth/api-keys"): Route("members"),
    ("DELETE", f"/api/v1/auth/api-keys/{KEY}"): Route("members"),
    ("GET", "/api/v1/auth/sessions"): Route("members"),
    ("DELETE", "/api/v1/auth/sessions"): Route("members"),
    ("DELETE", f"/api/v1/auth/sessions/{SESSION}"): Route("members"),
    ("GET", "/api/v1/users"): Route("admins"),
    ("GET", "/api/v1/users/me"): Route("members"),
    ("PATCH", "/api/v1/users/me"): Route("members", {"full_name": "Ann"}),
    ("DELETE", "/api/v1/users/me"): Route("members", {"password": PASSWORD}),
    ("GET", "/api/v1/users/me/export"): Route("members"),
    ("GET", f"/api/v1/users/{USER}"): Route("members"),
    ("PATCH", f"/api/v1/users/{USER}"): Route("admins", {"full_name": "Ann"}),
    ("DELETE", f"/api/v1/users/{USER}"): Route("admins"),
    ("GET", "/api/v1/audit-events"): Route("admins"),
    ("GET", "/api/v1/items"): Route("members"),
    ("POST", "/api/v1/items"): Route("members", {"title": "Milk"}),
    ("POST", "/api/v1/items/import"): Route("members"),
    ("GET", "/api/v1/items/export"): Route("members"),
    ("POST", "/api/v1/items/batch"): Route("members", {"items": [{"title": "Milk"}]}),
    ("GET", f"/api/v1/items/{ITEM}"): Route("members"),
    ("PATCH", f"/api/v1/items/{ITEM}"): Route("members", {"title": "Milk"}),
    ("DELETE", f"/api/v1/items/{ITEM}"): Route("members"),
}
"""Add a route here when you add one to the application."""

PRIVATE = [route for route in ROUTES if ROUTES[route].who != "anyone"]
OF_ADMINS = [route for route in ROUTES if ROUTES[route].who == "admins"]
WITH_ID = [route for route in ROUTES if "{" in route[1]]
WITH_BODY = [route for route in ROUTES if ROUTES[route].body is not None]
COLUMNS = sorted({column.key for table in metadata.sorted_tables for column in table.columns})


@pytest.fixture
async def bob(api: Api) -> Person:
    """Provide somebody else, signed in."""
    return await api.a_person()


async def call(api: Api, route: tuple[str, str], person: Person | None, **options: Any) -> Any:
    """Call a route on what is Bob's."""
    method, path = route
    return await api.client.request(method, path, headers=person.headers if person else {}, **options)


async def fill_in(api: Api, path: str, owner: Person) -> str:
    """Return the path with the ids of things that are this owner's."""
    if ITEM in path:
        item = (await api.post("/items", owner, json={"title": "Milk"})).json()["id"]
        path = path.replace(ITEM, item)
    if KEY in path:
        key = await api.post("/auth/api-keys", owner, json={"name": "CI", "scopes": ["items:read"]})
        path = path.replace(KEY, key.json()["id"])
    return path.replace(USER, owner.id).replace(SESSION, owner.tokens["session_id"])


def routes_of(api: Api) -> dict[tuple[str, str], bool]:
    """Return every route of the application but the documentation's, and whether it is private."""
    return {
        (str(method), route.path): bool(handler.opt["private"])
        for route in api.app.litestar.routes
        if isinstance(route, HTTPRoute) and not route.path.startswith(("/docs", "/openapi.json"))
        for method, (handler, _) in route.route_handler_map.items()
        if method != "OPTIONS"
    }


def test_every_route_has_a_line_here(api: Api) -> None:
    assert set(routes_of(api)) == set(ROUTES)


def test_a_route_is_private_unless_it_is_for_anyone(api: Api) -> None:
    assert {route for route, is_private in routes_of(api).items() if is_private} == set(PRIVATE)


@pytest.mark.parametrize("route", PRIVATE, ids=" ".join)
async def test_strangers_are_sent_away(api: Api, bob: Person, route: tuple[str, str]) -> None:
    path = await fill_in(api, route[1], bob)

    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = await api.client.request(route[0], path, headers=headers, json=ROUTES[route].body)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("route", OF_ADMINS, ids=" ".join)
async def test_members_are_refused_what_is_for_administrators(
    api: Api, ann: Person, bob: Person, route: tuple[str, str]
) -> None:
    for owner in (ann, bob):
        path = await fill_in(api, route[1], owner)

        answer = await call(api, (route[0], path), ann, json=ROUTES[route].body)

        assert answer.status_code in (403, 404)
    assert (await api.get("/users/me", bob)).json()["version"] == 1


@pytest.mark.parametrize("route", WITH_ID, ids=" ".join)
async def test_what_is_somebody_elses_is_refused_the_same_as_what_is_not_there(
    api: Api, ann: Person, bob: Person, route: tuple[str, str]
) -> None:
    method, pattern = route
    nothing = pattern
    for name in (USER, ITEM, SESSION, KEY):
        nothing = nothing.replace(name, "00000000-0000-7000-8000-000000000000")

    somebodys = await call(api, (method, await fill_in(api, pattern, bob)), ann, json=ROUTES[route].body)
    nobodys = await call(api, (method, nothing), ann, json=ROUTES[route].body)

    bodies = [answer.json() for answer in (somebodys, nobodys)]
    for body in bodies:
        del body["request_id"]
    assert bodies[0] == bodies[1]
    assert somebodys.status_code == (403 if route in OF_ADMINS else 404)
    assert (await api.get("/users/me", bob)).status_code == 200


@pytest.mark.parametrize("route", [route for route in WITH_ID if USER not in route[1]], ids=" ".join)
async def test_administrators_reach_nothing_of_others_by_the_routes_of_owners(
    api: Api, bob: Person, route: tuple[str, str]
) -> None:
    admin = await api.an_admin()

    answer = await call(api, (route[0], await fill_in(api, route[1], bob)), admin, json=ROUTES[route].body)

    assert answer.status_code == 404


@pytest.mark.parametrize("route", WITH_BODY, ids=" ".join)
async def test_no_body_takes_a_column_that_it_does_not_name(api: Api, route: tuple[str, str]) -> None:
    admin, ann = await api.an_admin(), await api.a_person()
    path = await fill_in(api, route[1], ann if USER in route[1] else admin)
    taken = {
        "full_name",
        "email",
        "role",
        "is_active",
        "title",
        "description",
        "tags",
        "name",
        "scopes",
        "expires_at",
        "items",
    }
    before = (await api.get(f"/users/{ann.id}", admin)).json()

    for column in [*COLUMNS, "password", "permissions", "scope", "is_admin", "__class__"]:
        body = ROUTES[route].body or {}
        if column in body or (column in taken and route[0] in ("POST", "PATCH") and "login" not in path):
            continue
        answer = await call(api, (route[0], path), admin, json=body | {column: "x"})

        assert pointers(answer) == [f"/{column}"], column
    assert (await api.get(f"/users/{ann.id}", admin)).json() == before


@pytest.mark.parametrize(
    "column", ["role", "is_active", "email_verified", "password_hash", "id", "created_at", "version"]
)
async def test_nobody_makes_themselves_more_than_they_are(api: Api, ann: Person, column: str) -> None:
    before = (await api.get("/users/me", ann)).json()
    values: dict[str, Any] = {"role": "admin", "is_active": True, "email_verified": True, "version": 9}
    value = values.get(column, "x")

    rename = await api.patch("/users/me", ann, json={"full_name": "Ann", column: value})
    sign_up = await api.post("/users", json={"email": an_email(), "password": PASSWORD, column: value})

    assert pointers(rename) == pointers(sign_up) == [f"/{column}"]
    assert (await api.get("/users/me", ann)).json() == before

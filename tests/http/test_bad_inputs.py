"""What breaks a plain application on this stack (SECURITY of the input classes), on every storage: never a 5xx."""

import pytest

from tests.api import Api, Person
from tests.builders import PASSWORD

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

ODD_TEXTS = [
    "\u0000",
    "a\u0000b",
    "\ufffe",
    "\u202e",
    "\u001b[2J",
    "' OR 1=1 --",
    "%",
    "_",
    "\\",
    "🦉" * 300,
    "x" * 20_000,
]
ODD_VALUES: list[object] = [*ODD_TEXTS, None, True, 0, -1, 2**31, 2**63, 10**30, 1.5, [], {}, [[]], {"a": 1}]
RAW_BODIES = [
    b"",
    b"null",
    b"0",
    b'"x"',
    b"[]",
    b"{",
    b"\xff\xfe",
    b'{"title":"\xff"}',
    b'{"title":"\\ud800"}',
    b'{"title":"\\udc00\\ud800"}',
    b'{"title":1e400}',
    b'{"title":' + b"9" * 5000 + b"}",
    b'{"title":"ok","title":"again"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"title":"ok","tags":' + b"[" * 100_000,
    b'{"title":"' + b"x" * 900_000 + b'"}',
]
QUERIES = [
    "limit=-1",
    "limit=0",
    "limit=2147483648",
    "limit=9223372036854775808",
    "limit=1000000000000000000000",
    "limit=1e3",
    "limit=%00",
    "limit=١",
    "limit=1&limit=2",
    "limit[]=1",
    "cursor=%00",
    "cursor=%ff",
    "cursor=AAAA",
    "cursor=" + "A" * 1999,
    "cursor=a&cursor=b",
    "sort=%27",
    "sort=-",
    "sort=--title",
    "sort=%E2%80%AE",
    "q=%00",
    "q=%01",
    "q=%C2%80",
    "q=",
    "q=" + "x" * 201,
    "q=%ED%A0%80",
    "q=%F0%9F%A6%89",
    "q=%25_%5C%2F%22%27%2A",
    "q=a%22%20OR%20b%20NEAR%28c%29",
    "tag=%00",
    "tag=",
    "tag=" + "x" * 51,
    "tag=%7B%22%2C",
    "tag=a&tag=b",
    "created_after=2026-01-01",
    "created_after=2026-01-01T00:00:00",
    "created_after=0001-01-01T00:00:00Z",
    "created_after=9999-12-31T23:59:59-23:59",
    "created_before=2026-02-30T00:00:00Z",
    "created_before=1e400",
    "created_before=now",
    "owner_id=1",
    "owner_id=ANY",
    "owner_id=any",
    "owner_id=%00",
    "%00=1",
    "=",
    "&&&",
    "a" * 7000,
]
PATHS = [
    "/items/%00",
    "/items/%ff",
    "/items/1",
    "/items/" + "9" * 40,
    "/items/00000000-0000-0000-0000-000000000000",
    "/items/{01a20788-434b-730a-ad27-acf2a9cae3f7}",
    "/items/urn:uuid:01a20788-434b-730a-ad27-acf2a9cae3f7",
    "/items/../users/me/..%2f..%2f",
    "/users/%E2%80%AE",
    "/users/" + "a" * 5000,
    "/items/%0d%0aX-Evil:%201",
]


@pytest.fixture
async def ann(stored_api: Api) -> Person:
    """Provide somebody signed in, on each storage."""
    return await stored_api.a_person()


async def test_odd_values_in_items(stored_api: Api, ann: Person) -> None:
    for value in ODD_VALUES:
        for body in ({"title": value}, {"title": "ok", "description": value}, {"title": "ok", "tags": [value]}):
            answer = await stored_api.post("/items", ann, json=body)

            assert answer.status_code in (201, 400, 422), (body, answer.text)


async def test_odd_values_in_accounts(stored_api: Api) -> None:
    for value in ODD_VALUES:
        for body in (
            {"email": value, "password": PASSWORD},
            {"email": f"{value}@example.org"[:300], "password": PASSWORD},
            {"email": "odd@example.org", "password": value},
            {"email": "odd@example.org", "password": PASSWORD, "full_name": value},
        ):
            for path in ("/users", "/auth/login"):
                answer = await stored_api.post(path, json=body)

                assert answer.status_code in (200, 201, 202, 400, 401, 403, 409, 422, 429), (path, body, answer.text)


async def test_raw_bodies(stored_api: Api, ann: Person) -> None:
    for content in RAW_BODIES:
        for path in ("/users", "/auth/login", "/auth/refresh", "/items", "/items/batch"):
            answer = await stored_api.post(path, ann, content=content, headers=JSON)

            assert answer.status_code in (201, 400, 422), (path, content[:40], answer.text)
        form = await stored_api.post("/auth/token", content=content, headers=FORM)
        assert form.status_code == 400, (content[:40], form.text)


async def test_raw_files(stored_api: Api, ann: Person) -> None:
    rows = [
        *RAW_BODIES,
        b'{"title":"ok","version":' + b"9" * 5000 + b"}",
        b'{"title":"ok","id":{"a":' * 1000,
        b"title,description,tags\n" + b'"' * 1001,
        b"title\n" + b"\x00" * 1000,
        b"title\n\xff\xfe",
        b"title,tags\nok," + b"[" * 100_000,
        b"title,tags\nok,[1]",
        b"title" + b"," * 100_000,
        b"\x00",
    ]
    for content in rows:
        for media_type in ("application/x-ndjson", "text/csv"):
            answer = await stored_api.post("/items/import", ann, content=content, headers={"Content-Type": media_type})

            assert answer.status_code in (200, 422), (media_type, content[:40], answer.text)
            assert len(answer.content) < 100_000, (media_type, content[:40])


async def test_odd_values_in_batches(stored_api: Api, ann: Person) -> None:
    for value in ODD_VALUES:
        for items in (value, [value], [{"title": value}], [{"title": "ok", "tags": value}]):
            answer = await stored_api.post("/items/batch", ann, json={"items": items})

            assert answer.status_code in (201, 400, 422), (items, answer.text)


async def test_odd_headers(stored_api: Api, ann: Person) -> None:
    path = f"/items/{(await stored_api.post('/items', ann, json={'title': 'Milk'})).json()['id']}"
    for value in (b"", b"\xff", b"\x01", b'"' * 5000, b"*, *", b"W/W/", b'"1' + b"," * 5000, b"9" * 5000, b"a b"):
        for name in (b"If-Match", b"If-None-Match"):
            for method in ("GET", "PATCH"):
                answer = await stored_api.client.request(
                    method,
                    f"/api/v1{path}",
                    headers=[*((k.encode(), v.encode()) for k, v in ann.headers.items()), (name, value)],
                    json={"title": "Bread"},
                )

                assert answer.status_code == 400, (name, value[:20], answer.text)
        keyed = await stored_api.client.request(
            "POST",
            "/api/v1/items",
            headers=[*((k.encode(), v.encode()) for k, v in ann.headers.items()), (b"Idempotency-Key", value)],
            json={"title": "Bread"},
        )
        assert keyed.status_code in (201, 400), (value[:20], keyed.text)


async def test_odd_queries(stored_api: Api, ann: Person) -> None:
    for query in QUERIES:
        for path in ("/items", "/users", "/users/me"):
            answer = await stored_api.get(f"{path}?{query}", ann)

            assert answer.status_code in (200, 400, 403, 422), (path, query[:40], answer.text)
            if query.startswith(("limit", "cursor", "sort", "created", "owner")):
                assert answer.status_code != 200, (path, query)


async def test_odd_paths(stored_api: Api, ann: Person) -> None:
    for path in PATHS:
        for method in ("GET", "DELETE"):
            answer = await stored_api.call(method, path, ann)

            assert answer.status_code in (400, 404, 405, 422), (method, path[:60], answer.text)
            assert "x-evil" not in answer.headers


async def test_odd_tokens(stored_api: Api, ann: Person) -> None:
    token = ann.tokens["refresh_token"]
    session_id, _, mac = token.split(".")
    for odd in (
        "",
        ".",
        "..",
        f"{session_id}.99999999999999999999.{mac}",
        f"{session_id}.-1.{mac}",
        f"{session_id}.01.{mac}",
        f"{session_id.upper()}.1.{mac}",
        f"{session_id}.1.{mac}=",
        f" {token}",
        f"{token}\n",
        "\u0661" + token,
    ):
        answer = await stored_api.post("/auth/refresh", json={"refresh_token": odd})

        assert answer.status_code in (401, 422), (odd, answer.text)
    assert (await stored_api.get("/users/me", ann)).status_code == 200

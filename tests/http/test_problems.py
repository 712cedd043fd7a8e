import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from dishka import Provider, provide

from application.health import StorageHealth
from application.items.ports import ItemQueries
from domain.errors import Limited, Unavailable
from entrypoints.lifetimes import Lifetime
from entrypoints.settings import Settings
from tests.api import Api, Person, problem, serve
from tests.clock import FixedClock
from tests.containers import Overrides, settings_for

JSON = {"Content-Type": "application/json"}


async def test_an_unknown_address_is_not_found(api: Api) -> None:
    problem(await api.get("//nowhere"), 404, "not_found")
    problem(await api.get("/items/not-an-id"), 404, "not_found")
    problem(await api.get("/items/%00"), 404, "not_found")


async def test_an_unknown_method_is_told_the_known_ones(api: Api, ann: Person) -> None:
    answer = await api.call("PUT", "/items", ann)

    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/items", "GET, HEAD, OPTIONS, POST"),
        (f"/items/{UUID(int=0)}", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/auth/login", "OPTIONS, POST"),
    ],
)
async def test_whoever_asks_for_the_methods_is_told_all_of_them(api: Api, path: str, methods: str) -> None:
    answer = await api.call("OPTIONS", path)

    assert answer.status_code == 204
    assert answer.headers["allow"] == methods


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW"])
async def test_odd_methods_are_refused(api: Api, method: str) -> None:
    problem(await api.call(method, "/items"), 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["//health", "/items"])
async def test_head_answers_as_get_does_without_the_content(api: Api, ann: Person, path: str) -> None:
    got = await api.get(path, ann)

    answer = await api.call("HEAD", path, ann)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"",
        b"nul",
        b"{'title': 1}",
        b'{"title": "\xff"}',
        b'{"title": "\\ud800"}',
        b'{"title": "ok"} trailing',
        b'{"title": NaN}',
        b"\xef\xbb\xbf{}",
        '{"title": "ok"}'.encode("utf-16"),
    ],
)
async def test_a_body_that_is_not_json_is_malformed(api: Api, ann: Person, content: bytes) -> None:
    problem(await api.post("/items", ann, content=content, headers=JSON), 400, "malformed_body")


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"title":' * 100_000,
        b'{"title":"ok","tags":' + b"[" * 100_000,
        b'{"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
async def test_a_body_nested_deeply_is_refused(api: Api, ann: Person, content: bytes) -> None:
    answer = await api.post("/items", ann, content=content, headers=JSON)

    assert answer.status_code in (400, 422)
    problem(answer, answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "application/jsonp",
    ],
)
async def test_a_body_of_another_media_type_is_refused(api: Api, ann: Person, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}

    answer = await api.post("/items", ann, content=b'{"title": "Milk"}', headers=headers)

    problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/json; charset=UTF-8", "Application/JSON"])
async def test_json_may_say_that_it_is_utf_8(api: Api, ann: Person, media_type: str) -> None:
    headers = {"Content-Type": media_type}

    answer = await api.post("/items", ann, content=b'{"title": "Milk"}', headers=headers)

    assert answer.status_code == 201


async def test_a_body_that_is_too_large_is_refused(api: Api, ann: Person) -> None:
    announced = await api.post("/items", ann, content=b"x" * (1 << 20 | 1), headers=JSON)

    async def chunks() -> object:
        for _ in range(65):
            yield b" " * (1 << 14)

    streamed = await api.post("/items", ann, content=chunks(), headers=JSON)

    problem(announced, 413, "body_too_large")
    problem(streamed, 413, "body_too_large")


async def test_a_body_may_come_in_parts_and_be_as_large_as_the_limit(api: Api, ann: Person) -> None:
    body = b'{"title": "Milk"}'.ljust(1 << 20)

    async def parts() -> object:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]
            yield b""

    answer = await api.post("/items", ann, content=parts(), headers=JSON)

    assert answer.status_code == 201
    assert answer.json()["title"] == "Milk"


@pytest.mark.parametrize(
    ("length", "messages", "status", "code"),
    [
        (18, [b""], 400, "malformed_body"),
        (18, [b'{"title": "Milk"}'], 400, "malformed_body"),
        ((1 << 20) + 1, [], 413, "body_too_large"),
    ],
)
async def test_a_body_that_ends_too_soon_or_is_announced_as_too_large_is_refused(
    api: Api, ann: Person, length: int, messages: list[bytes], status: int, code: str
) -> None:
    answer: list[Any] = []

    async def send(message: Any) -> None:
        answer.append(message)

    await api.send_raw(
        "POST",
        "/items",
        ann,
        headers=JSON | {"Content-Length": str(length)},
        messages=[{"type": "http.request", "body": part, "more_body": True} for part in messages],
        send=send,
    )

    assert (answer[0]["status"], json.loads(answer[1]["body"])["code"]) == (status, code)
    assert (await api.get("/items", ann)).json()["data"] == []


@pytest.mark.parametrize("query", ["cursor=%ff", "cursor=%C0%80", "%ff=1", "cursor=%ed%a0%80"])
async def test_an_address_that_is_not_utf_8_is_malformed(api: Api, ann: Person, query: str) -> None:
    problem(await api.get(f"/items?{query}", ann), 400, "malformed_request")
    problem(await api.get(f"//{query}", ann), 400, "malformed_request")


class _Failing(Provider):
    """Item queries that fail in one way."""

    scope = Lifetime.APP

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    @provide
    def item_queries(self) -> ItemQueries:
        raise self._error

    @provide
    def health(self) -> StorageHealth:
        raise self._error


async def test_what_is_unavailable_says_when_to_come_back(settings: Settings, clock: FixedClock) -> None:
    async with serve(settings, Overrides(clock), _Failing(Unavailable())) as api:
        answer = await api.get("/items", await api.a_person())

    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_what_is_too_often_says_when_to_come_back(settings: Settings, clock: FixedClock) -> None:
    async with serve(settings, Overrides(clock), _Failing(Limited(retry_after=7))) as api:
        answer = await api.get("/items", await api.a_person())

    problem(answer, 429, "too_many_requests")
    assert answer.headers["retry-after"] == "7"


async def test_a_bug_is_logged_and_tells_the_caller_nothing(
    settings: Settings, clock: FixedClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve(settings, Overrides(clock), _Failing(RuntimeError("SELECT secret"))) as api:
        answer = await api.get("/items", await api.a_person())

    body = problem(answer, 500, "internal_error")
    assert "SELECT" not in answer.text
    printed = capsys.readouterr()
    log = printed.out + printed.err
    assert "SELECT secret" in log
    assert body["request_id"] in log


async def test_readiness_is_refused_while_storage_is_away(settings: Settings, clock: FixedClock) -> None:
    async with serve(settings, Overrides(clock), _Failing(Unavailable())) as api:
        live, ready = await api.get("//health"), await api.get("//health/ready")

    assert live.json() == {"status": "ok", "version": "0.1.0"}
    problem(ready, 503, "unavailable")


@pytest.mark.sqlite
async def test_readiness_is_refused_while_the_schema_is_behind(tmp_path: Path) -> None:
    async with serve(settings_for(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path)) as api:
        ready = await api.get("//health/ready")

    problem(ready, 503, "unavailable")


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("limit=0", "must be at least 1"),
        ("limit=101", "must be at most 100"),
        ("limit=many", "must be a whole number"),
        ("q=", "must have at least 1 character"),
        ("cursor=" + "x" * 3000, "must have at most 2048 characters"),
    ],
)
async def test_rules_of_parameters_are_told_in_plain_words(api: Api, ann: Person, query: str, rule: str) -> None:
    answer = problem(await api.get(f"/items?{query}", ann), 422, "validation_failed")

    assert [error["detail"] for error in answer["errors"]] == [rule]


async def test_rules_of_bodies_are_told_in_plain_words(api: Api, ann: Person) -> None:
    answer = problem(await api.post("/items", ann, json={"title": "Milk", "tags": "shop"}), 422, "validation_failed")

    assert answer["errors"] == [{"pointer": "/tags", "detail": "must be a list, not a text"}]


@pytest.mark.parametrize(
    "body", [b'{"title":5', b"[1,2", b'{"nope":1', b'{"nope":1} trailing', b"[}", b"5x", b'{"title":"x","tags":[1}']
)
async def test_what_is_no_json_is_malformed_whatever_else_is_wrong(api: Api, ann: Person, body: bytes) -> None:
    answer = await api.post("/items", ann, content=body, headers={"Content-Type": "application/json"})

    problem(answer, 400, "malformed_body")


@pytest.mark.parametrize(
    ("method", "path", "headers", "connection"),
    [
        ("POST", "/items", {"Content-Type": "application/json"}, "close"),
        ("POST", "/nowhere", {"Content-Type": "application/json"}, "close"),
        ("POST", "/auth/login", {"Content-Type": "text/plain"}, "close"),
        ("POST", "/auth/login", {"Content-Type": "application/json"}, None),
        ("GET", "/items", {}, None),
    ],
)
async def test_a_connection_is_closed_where_a_body_is_left_in_it(
    api: Api, method: str, path: str, headers: dict[str, str], connection: str | None
) -> None:
    content = b'{"title": "Milk"}' if method == "POST" else None

    answer = await api.call(method, path, headers=headers, content=content)

    assert 400 <= answer.status_code < 500
    assert answer.headers.get("connection") == connection

"""What every answer carries, and what is settled before the application sees a request."""

import gc
import io
from typing import Any

import pytest
from dishka import AsyncContainer

from entrypoints.http.middleware import API_POLICY
from tests.api import PEER, Api, Person, problem, serve
from tests.builders import PASSWORD, an_email
from tests.clock import FixedClock
from tests.containers import Overrides, settings_for

SECURITY_HEADERS = {
    "content-security-policy": API_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "//health", {}),
        ("GET", "//nowhere", {}),
        ("PUT", "//health", {}),
        ("GET", "/users/me", {}),
        ("GET", "/items?cursor=%ff", {}),
        ("POST", "/users", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("POST", "/users", {"content": b"x" * (1 << 21)}),
        ("POST", "/auth/login", {"json": {"email": "nobody@example.org", "password": "wrong"}}),
        ("OPTIONS", "/items", {}),
    ],
)
async def test_every_answer_carries_the_security_headers(
    api: Api, method: str, path: str, options: dict[str, Any]
) -> None:
    answer = await api.call(method, path, **options)

    assert SECURITY_HEADERS.items() <= dict(answer.headers).items()
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers
    assert "server" not in answer.headers


async def test_https_is_insisted_on_where_it_is_spoken(clock: FixedClock) -> None:
    settings = settings_for("memory:", PUBLIC_URL="https://api.example.org")
    async with serve(settings, Overrides(clock)) as api:
        answer = await api.get("//health")

    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize("request_id", ["a", "A.b_c-1", "x" * 128])
async def test_the_callers_request_id_is_kept(api: Api, request_id: str) -> None:
    answer = await api.get("//nowhere", headers={"X-Request-ID": request_id})

    assert answer.headers["x-request-id"] == request_id
    assert answer.json()["request_id"] == request_id


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a b", "a/b", "é", "a\tb"])
async def test_another_request_id_is_replaced(api: Api, request_id: str) -> None:
    answer = await api.get("//health", headers={b"X-Request-ID": request_id.encode()})

    assert answer.headers["x-request-id"] != request_id
    assert len(answer.headers["x-request-id"]) == 32


async def test_no_answer_is_readable_from_other_origins_by_default(api: Api) -> None:
    answer = await api.get("//health", headers={"Origin": "https://app.example.org"})

    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://app.example.org", True),
        ("https://appxexample.org", False),
        ("https://app.example.org.evil.example", False),
        ("http://app.example.org", False),
        ("null", False),
    ],
)
async def test_exactly_the_listed_origins_may_read(clock: FixedClock, origin: str, *, allowed: bool) -> None:
    settings = settings_for("memory:", CORS_ORIGINS="https://app.example.org")
    async with serve(settings, Overrides(clock)) as api:
        answer = await api.get("//health", headers={"Origin": origin})
        preflight = await api.call(
            "OPTIONS", "/items", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        )

    assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
    assert (preflight.headers.get("access-control-allow-origin") == origin) is allowed
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("api.example.org", 200),
        ("API.example.org", 200),
        ("apixexample.org", 400),
        ("api.example.org.evil.example", 400),
        ("api.example.org:80@evil.example", 400),
        ("", 400),
    ],
)
async def test_exactly_the_listed_hosts_are_served(clock: FixedClock, host: str, status: int) -> None:
    settings = settings_for("memory:", ALLOWED_HOSTS="api.example.org")
    async with serve(settings, Overrides(clock)) as api:
        answer = await api.get("//health", headers={"Host": host, "X-Forwarded-Host": "api.example.org"})

    assert answer.status_code == status
    if status == 400:
        problem(answer, 400, "unknown_host")


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [
        (None, "198.51.100.7", PEER),
        ("10.0.0.0/8", "198.51.100.7", PEER),
        (f"{PEER}/32", "198.51.100.7", "198.51.100.7"),
        (f"{PEER}/32", "192.0.2.66, 198.51.100.7", "198.51.100.7"),
        (f"{PEER}/32,10.0.0.0/8", "192.0.2.66, 198.51.100.7, 10.1.2.3", "198.51.100.7"),
        (f"{PEER}/32", "198.51.100.7, nonsense", PEER),
        (f"{PEER}/32", "2001:db8::1", "2001:db8::1"),
        (f"{PEER}/32", "", PEER),
    ],
)
async def test_only_trusted_proxies_say_where_a_request_came_from(
    clock: FixedClock,
    trusted: str | None,
    forwarded: str,
    client: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    variables = {} if trusted is None else {"TRUSTED_PROXIES": trusted}
    async with serve(settings_for("memory:", **variables), Overrides(clock)) as api:
        await api.get("//health", headers={"X-Forwarded-For": forwarded, "X-Real-IP": "192.0.2.99"})

    printed = capsys.readouterr()
    assert f"client={client}" in (printed.out + printed.err)


async def test_what_a_request_took_is_free_without_a_collection(api: Api, ann: Person) -> None:
    def scopes() -> int:
        return sum(type(each) is AsyncContainer for each in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = scopes()
        await api.get("/users/me", ann)
        await api.get("/users/me")
        await api.post("/items", ann, json={"title": 1})
        await api.get("//nowhere")
        after = scopes()
    finally:
        gc.enable()

    assert after <= before


async def test_each_request_leaves_one_line_in_the_log(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    await api.get("//nowhere%0d%0aFAKE?token=hidden", headers={"X-Request-ID": "abc"})

    printed = capsys.readouterr()
    lines = [line for line in io.StringIO(printed.out + printed.err) if line.strip()]
    assert len(lines) == 1
    assert "request_id=abc" in lines[0]
    assert "hidden" not in lines[0]


async def test_secrets_never_reach_the_log(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    email = an_email()
    await api.post("/users", json={"email": email, "password": PASSWORD})
    tokens = (await api.login(email)).json()
    person = Person(id="", email=email, tokens=tokens)
    await api.get("/users/me", person)
    await api.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})

    printed = capsys.readouterr()
    log = printed.out + printed.err
    assert log
    for secret in (PASSWORD, tokens["access_token"], tokens["refresh_token"], email):
        assert secret not in log

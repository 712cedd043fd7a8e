"""The audit trail over HTTP, and what signing in writes into it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api import Api, Person, pointers, problem
from tests.builders import an_email, an_id
from tests.clock import FixedClock

AGENT = "Mozilla/5.0 (test)"
WRONG = "not the password at all"


@pytest.fixture
async def admin(stored_api: Api) -> Person:
    return await stored_api.an_admin()


async def events(api: Api, admin: Person, **query: Any) -> list[dict[str, Any]]:
    answer = await api.get("/audit-events", admin, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_tells_who_did_what_to_whom_from_where(stored_api: Api, admin: Person) -> None:
    ann = await stored_api.a_new_person()
    await stored_api.post("/auth/login", json={"email": ann.email, "password": WRONG}, headers={"User-Agent": AGENT})

    failed, succeeded, registered = await events(stored_api, admin, limit=3)

    assert failed == {
        "id": failed["id"],
        "action": "login.failed",
        "actor_id": None,
        "subject_id": ann.id,
        "ip": "203.0.113.9",
        "user_agent": AGENT,
        "created_at": "2026-03-01T12:00:00.123456Z",
        "data": {},
    }
    assert (succeeded["action"], succeeded["actor_id"], succeeded["subject_id"]) == ("login.succeeded", ann.id, ann.id)
    assert succeeded["data"] == {"session_id": ann.tokens["session_id"]}
    assert (registered["action"], registered["actor_id"], registered["subject_id"]) == (
        "user.registered",
        ann.id,
        ann.id,
    )


async def test_a_failed_login_with_an_unknown_address_names_nobody(stored_api: Api, admin: Person) -> None:
    for email in (an_email(), "no address"):
        await stored_api.login(email)

        [event] = await events(stored_api, admin, limit=1)

        assert (event["action"], event["actor_id"], event["subject_id"]) == ("login.failed", None, None)
        assert email not in str(event)


async def test_throttling_is_recorded_once_in_a_while(stored_api: Api, admin: Person, clock: FixedClock) -> None:
    ann = await stored_api.a_person()
    for _ in range(15):
        await stored_api.login(ann.email, WRONG)

    [first] = await events(stored_api, admin, action="login.throttled")
    clock.advance(timedelta(minutes=15))
    for _ in range(15):
        await stored_api.login(ann.email, WRONG)
    renewed = (await stored_api.login(admin.email)).json()
    both = await events(stored_api, Person(admin.id, admin.email, renewed), action="login.throttled")

    assert (first["actor_id"], first["subject_id"], first["data"]) == (None, ann.id, {"rule": "login:place"})
    assert len(both) == 2


async def test_a_network_that_is_throttled_is_recorded_once(stored_api: Api, admin: Person) -> None:
    for _ in range(35):
        await stored_api.login(an_email(), WRONG)

    [event] = await events(stored_api, admin, action="login.throttled")

    assert (event["subject_id"], event["data"]) == (None, {"rule": "login:address"})


# --- the list


async def test_only_an_administrator_reads_the_audit(api: Api, ann: Person) -> None:
    problem(await api.get("/audit-events"), 401, "unauthenticated")
    problem(await api.get("/audit-events", ann), 403, "forbidden")


async def test_events_come_in_pages_the_newest_first(stored_api: Api, admin: Person) -> None:
    await stored_api.a_new_person()
    for _ in range(3):
        await stored_api.login(an_email(), WRONG)
    everything = await events(stored_api, admin)

    seen: list[dict[str, Any]] = []
    answer = await stored_api.get("/audit-events?limit=2", admin)
    seen += answer.json()["data"]
    while answer.json()["next_cursor"]:
        assert answer.headers["link"].endswith('rel="next"')
        answer = await stored_api.get(f"/audit-events?limit=2&cursor={answer.json()['next_cursor']}", admin)
        seen += answer.json()["data"]

    assert seen == everything
    assert [event["action"] for event in seen] == ["login.failed"] * 3 + ["login.succeeded", "user.registered"]


async def test_a_cursor_is_good_for_its_own_filter_only(stored_api: Api, admin: Person) -> None:
    await stored_api.login(an_email(), WRONG)
    cursor = (await stored_api.get("/audit-events?limit=1", admin)).json()["next_cursor"]

    assert pointers(await stored_api.get(f"/audit-events?cursor={cursor}&action=login.failed", admin)) == [
        "/query/cursor"
    ]


async def test_events_are_filtered(stored_api: Api, admin: Person, clock: FixedClock) -> None:
    ann = await stored_api.a_new_person()
    clock.advance(timedelta(seconds=1))
    await stored_api.login(ann.email)

    assert len(await events(stored_api, admin, actor_id=ann.id)) == 3
    assert len(await events(stored_api, admin, actor_id=ann.id, action="login.succeeded")) == 2
    assert len(await events(stored_api, admin, since="2026-03-01T12:00:01Z")) == 1
    assert len(await events(stored_api, admin, since="2026-03-01T14:00:01+02:00")) == 1
    assert await events(stored_api, admin, actor_id=str(an_id())) == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"since": "2026-03-01T12:00:00"}, "/query/since"),
        ({"since": "2026-03-01"}, "/query/since"),
        ({"since": "yesterday"}, "/query/since"),
        ({"since": ""}, "/query/since"),
        ({"since": "1772366400"}, "/query/since"),
        ({"since": "1969-12-31T23:59:59Z"}, "/query/since"),
        ({"since": "2200-01-01T00:00:00Z"}, "/query/since"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "/query/since"),
        ({"since": "9999-12-31T23:59:59-14:00"}, "/query/since"),
        ({"since": "2026-03-01T12:00:00Z" * 3}, "/query/since"),
        ({"action": "login"}, "/query/action"),
        ({"actor_id": "me"}, "/query/actor_id"),
        ({"limit": "0"}, "/query/limit"),
        ({"cursor": "x"}, "/query/cursor"),
        ({"subject_id": "x"}, "/query/subject_id"),
    ],
)
@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_a_filter_that_means_nothing_is_refused(
    stored_api: Api, admin: Person, query: dict[str, str], pointer: str
) -> None:
    assert pointers(await stored_api.get("/audit-events", admin, params=query)) == [pointer]

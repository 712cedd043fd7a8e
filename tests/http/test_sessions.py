from datetime import timedelta
from uuid import UUID

import pytest

from application.auth.export import PersonalDataQueries, StoredEvent
from domain.audit import AuditAction
from domain.ids import UserId
from entrypoints.settings import Settings
from tests.api import Api, Person, problem, serve
from tests.clock import FixedClock
from tests.containers import Override, Overrides, settings_for

A_SECOND = timedelta(seconds=1)


async def refresh(api: Api, tokens: dict[str, str]) -> dict[str, str]:
    answer = await api.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 200, answer.text
    successor: dict[str, str] = answer.json()
    return successor


async def sign_in_again(api: Api, person: Person) -> Person:
    return Person(person.id, person.email, (await api.login(person.email)).json())


async def recorded(api: Api, person: Person, action: AuditAction) -> list[StoredEvent]:
    records: PersonalDataQueries = await api.container.get(PersonalDataQueries)
    events = await records.events(UserId(UUID(person.id)), limit=100, after=0)
    return [event for event in events if event.action == action]


# --- list and revoke


async def test_people_see_where_they_are_signed_in(api: Api, ann: Person, clock: FixedClock) -> None:
    clock.advance(timedelta(minutes=1))
    phone = {"email": ann.email, "password": "correct horse battery staple"}
    second = (await api.post("/auth/login", json=phone, headers={"User-Agent": "Phone/1"})).json()

    answer = await api.get("/auth/sessions", ann)

    assert answer.status_code == 200
    assert answer.json() == {
        "data": [
            {
                "id": second["session_id"],
                "created_at": "2026-03-01T12:01:00.123456Z",
                "last_used_at": "2026-03-01T12:01:00.123456Z",
                "ip": "203.0.113.9",
                "user_agent": "Phone/1",
                "current": False,
            },
            {
                "id": ann.tokens["session_id"],
                "created_at": "2026-03-01T12:00:00.123456Z",
                "last_used_at": "2026-03-01T12:00:00.123456Z",
                "ip": "203.0.113.9",
                "user_agent": "Browser/1",
                "current": True,
            },
        ]
    }


async def test_a_refresh_is_a_use_of_the_session(api: Api, ann: Person, clock: FixedClock) -> None:
    clock.advance(timedelta(minutes=5))
    await refresh(api, ann.tokens)

    (session,) = (await api.get("/auth/sessions", ann)).json()["data"]

    assert session["last_used_at"] == "2026-03-01T12:05:00.123456Z"


async def test_sessions_that_have_ended_are_not_shown(api: Api, ann: Person, clock: FixedClock) -> None:
    idle = await sign_in_again(api, ann)
    await api.post("/auth/logout", await sign_in_again(api, ann))
    clock.advance(timedelta(days=13))
    kept = await refresh(api, ann.tokens)
    clock.advance(timedelta(days=2))
    now = Person(ann.id, ann.email, await refresh(api, kept))

    sessions = (await api.get("/auth/sessions", now)).json()["data"]

    assert [session["id"] for session in sessions] == [ann.tokens["session_id"]]
    assert idle.tokens["session_id"] != ann.tokens["session_id"]


async def test_people_end_one_of_their_sessions(stored_api: Api) -> None:
    ann = await stored_api.a_person()
    other = await sign_in_again(stored_api, ann)
    assert (await stored_api.get("/users/me", other)).status_code == 200

    answer = await stored_api.delete(f"/auth/sessions/{other.tokens['session_id']}", ann)

    assert (answer.status_code, answer.content) == (204, b"")
    problem(await stored_api.get("/users/me", other), 401, "invalid_token")
    spent = await stored_api.post("/auth/refresh", json={"refresh_token": other.tokens["refresh_token"]})
    problem(spent, 401, "invalid_refresh_token")
    assert (await stored_api.get("/users/me", ann)).status_code == 200
    problem(await stored_api.delete(f"/auth/sessions/{other.tokens['session_id']}", ann), 404, "not_found")


async def test_people_end_the_session_that_they_are_in(api: Api, ann: Person) -> None:
    answer = await api.delete(f"/auth/sessions/{ann.tokens['session_id']}", ann)

    assert answer.status_code == 204
    problem(await api.get("/users/me", ann), 401, "invalid_token")


async def test_a_session_of_somebody_else_is_not_found_the_same_as_none(stored_api: Api) -> None:
    ann, bob = await stored_api.a_person(), await stored_api.a_person()

    somebodys = await stored_api.delete(f"/auth/sessions/{bob.tokens['session_id']}", ann)
    nobodys = await stored_api.delete("/auth/sessions/00000000-0000-7000-8000-000000000000", ann)

    assert problem(somebodys, 404, "not_found")["detail"] == problem(nobodys, 404, "not_found")["detail"]
    assert (await stored_api.get("/users/me", bob)).status_code == 200


async def test_people_end_all_their_sessions_but_this_one(stored_api: Api) -> None:
    ann, bob = await stored_api.a_person(), await stored_api.a_person()
    others = [await sign_in_again(stored_api, ann) for _ in range(3)]
    for other in others:
        assert (await stored_api.get("/users/me", other)).status_code == 200

    answer = await stored_api.delete("/auth/sessions", ann)

    assert (answer.status_code, answer.content) == (204, b"")
    for other in others:
        problem(await stored_api.get("/users/me", other), 401, "invalid_token")
    assert (await stored_api.get("/users/me", ann)).status_code == 200
    assert (await stored_api.get("/users/me", bob)).status_code == 200
    assert (await stored_api.delete("/auth/sessions", ann)).status_code == 204


async def test_each_end_is_recorded(api: Api, ann: Person) -> None:
    one, two, three = [await sign_in_again(api, ann) for _ in range(3)]
    await api.delete(f"/auth/sessions/{one.tokens['session_id']}", ann)
    await api.post("/auth/logout", two)
    await api.delete("/auth/sessions", ann)
    await api.delete("/auth/sessions", ann)

    events = await recorded(api, ann, AuditAction.SESSION_REVOKED)

    assert [dict(row.data) for row in events] == [
        {"session_id": one.tokens["session_id"]},
        {"session_id": two.tokens["session_id"]},
        {"sessions": "1"},
    ]
    assert {str(row.subject_id) for row in events} == {str(row.actor_id) for row in events} == {ann.id}
    assert three.tokens["session_id"]


# --- how many, how long


async def test_at_most_twenty_sessions_live_and_the_oldest_makes_room(stored_api: Api, clock: FixedClock) -> None:
    ann = await stored_api.a_person()
    assert (await stored_api.get("/users/me", ann)).status_code == 200
    people = [ann]
    for _ in range(20):
        clock.advance(A_SECOND)
        people.append(await sign_in_again(stored_api, ann))

    sessions = (await stored_api.get("/auth/sessions", people[-1])).json()["data"]

    assert [session["id"] for session in sessions] == [person.tokens["session_id"] for person in reversed(people[1:])]
    problem(await stored_api.get("/users/me", ann), 401, "invalid_token")
    assert (await stored_api.get("/users/me", people[1])).status_code == 200


@pytest.mark.parametrize(("step", "status"), [(-A_SECOND, 200), (timedelta(0), 401), (A_SECOND, 401)])
async def test_an_idle_session_ends_after_fourteen_days(
    stored_api: Api, clock: FixedClock, step: timedelta, status: int
) -> None:
    ann = await stored_api.a_person()
    clock.advance(timedelta(days=14) + step)

    answer = await stored_api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})

    assert answer.status_code == status


@pytest.mark.parametrize(("step", "status"), [(-A_SECOND, 200), (timedelta(0), 401), (A_SECOND, 401)])
async def test_a_session_in_use_ends_after_thirty_days(
    stored_api: Api, clock: FixedClock, step: timedelta, status: int
) -> None:
    ann = await stored_api.a_person()
    tokens = ann.tokens
    for _ in range(3):
        clock.advance(timedelta(days=9))
        tokens = await refresh(stored_api, tokens)
    clock.advance(timedelta(days=3) + step)

    answer = await stored_api.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})

    assert answer.status_code == status


async def test_no_access_token_outlives_its_session(api: Api, ann: Person, clock: FixedClock) -> None:
    tokens = ann.tokens
    for _ in range(3):
        clock.advance(timedelta(days=9))
        tokens = await refresh(api, tokens)
    clock.advance(timedelta(days=3) - timedelta(minutes=4))
    last = await refresh(api, tokens)
    person = Person(ann.id, ann.email, last)

    clock.advance(timedelta(minutes=4) - A_SECOND)
    before = await api.get("/users/me", person)
    clock.advance(A_SECOND)
    after = await api.get("/users/me", person)

    assert int(last["expires_in"]) == int(last["refresh_expires_in"]) == 240
    assert before.status_code == 200
    problem(after, 401, "invalid_token")


# --- refresh tokens


async def test_a_spent_token_gets_the_same_successor_until_the_grace_ends(stored_api: Api, clock: FixedClock) -> None:
    ann = await stored_api.a_person()
    successor = await refresh(stored_api, ann.tokens)

    clock.advance(timedelta(seconds=10) - timedelta(microseconds=1))
    again = await refresh(stored_api, ann.tokens)
    clock.advance(timedelta(microseconds=1))
    too_late = await stored_api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})

    assert again["refresh_token"] == successor["refresh_token"]
    problem(too_late, 401, "invalid_refresh_token")
    problem(await stored_api.get("/users/me", ann), 401, "invalid_token")


async def test_a_token_that_is_two_old_ends_the_session_within_the_grace_too(stored_api: Api) -> None:
    ann = await stored_api.a_person()
    second = await refresh(stored_api, ann.tokens)
    third = await refresh(stored_api, second)

    reused = await stored_api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})

    problem(reused, 401, "invalid_refresh_token")
    ended = await stored_api.post("/auth/refresh", json={"refresh_token": third["refresh_token"]})
    problem(ended, 401, "invalid_refresh_token")


async def test_a_reuse_is_recorded_once_and_names_no_token(api: Api, ann: Person, clock: FixedClock) -> None:
    await refresh(api, ann.tokens)
    clock.advance(timedelta(seconds=10))
    for _ in range(3):
        await api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})

    (row,) = await recorded(api, ann, AuditAction.REFRESH_TOKEN_REUSED)

    assert row.actor_id is None
    assert str(row.subject_id) == ann.id
    assert dict(row.data) == {"session_id": ann.tokens["session_id"]}
    assert row.ip == "203.0.113.9"


async def test_without_grace_a_token_is_good_once(clock: FixedClock) -> None:
    settings = settings_for("memory:", REFRESH_GRACE_SECONDS="0")
    async with serve(settings, Overrides(clock)) as api:
        ann = await api.a_person()
        successor = await refresh(api, ann.tokens)

        reused = await api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})

        problem(reused, 401, "invalid_refresh_token")
        ended = await api.post("/auth/refresh", json={"refresh_token": successor["refresh_token"]})
        problem(ended, 401, "invalid_refresh_token")


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_the_rules_outlast_a_restart(
    storage: Settings, overrides: tuple[Override, ...], clock: FixedClock
) -> None:
    async with serve(storage, *overrides) as api:
        ann, bob = await api.a_person(), await api.a_person()
        successors = [await refresh(api, person.tokens) for person in (ann, bob)]

    clock.advance(timedelta(seconds=5))
    async with serve(storage, *overrides) as api:
        again = await refresh(api, ann.tokens)
        onward = await refresh(api, again)
        reused = await api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})

    async with serve(storage, *overrides) as api:
        ended = await api.post("/auth/refresh", json={"refresh_token": onward["refresh_token"]})
        untouched = await refresh(api, successors[1])

    assert again["refresh_token"] == successors[0]["refresh_token"]
    problem(reused, 401, "invalid_refresh_token")
    problem(ended, 401, "invalid_refresh_token")
    assert untouched["session_id"] == bob.tokens["session_id"]

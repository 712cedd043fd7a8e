"""What is left of somebody who was erased, looked for in every column of every table; and what they can take along."""

import base64
import json
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from adapters.sql.base import metadata
from adapters.sql.engines import Engines
from application.auth.export import PersonalDataQueries
from application.outbox import LetterQueue
from application.paging import PAGE_MAX
from domain.ids import UserId
from entrypoints.settings import Settings
from tests.api import Api, Person, problem, serve
from tests.builders import A_DAY_LATER, A_MONTH_LATER, PASSWORD
from tests.containers import Override
from tests.engines import engine_on

NAME = "Zaphod Beeblebrox"
EMAIL = "zaphod@heart-of-gold.example"
AGENT = "InfiniteImprobability/42"
IP = "203.0.113.9"
NEEDLES = (NAME, "zaphod", "heart-of-gold", AGENT, IP)


async def dump(api: Api) -> list[tuple[str, str, object]]:
    """Return each value of each column of each table."""
    engines: Engines = await api.container.get(Engines)
    async with engine_on(engines.write).connect() as connection:
        return [
            (table.name, column, value)
            for table in metadata.sorted_tables
            for row in (await connection.execute(sa.select(table))).mappings()
            for column, value in row.items()
        ]


def spellings(value: object) -> str:
    """Write a value in the ways in which it could hide a text."""
    if isinstance(value, bytes):
        return value.decode("latin-1") + value.hex() + base64.b64encode(value).decode()
    return json.dumps(value, default=str, ensure_ascii=False) + str(value)


def found(values: list[tuple[str, str, object]]) -> set[tuple[str, str]]:
    return {
        (table, column)
        for table, column, value in values
        if any(needle.casefold() in spellings(value).casefold() for needle in NEEDLES)
    }


async def send_all_letters(api: Api) -> None:
    """Have a relay hand over what is due."""
    queue: LetterQueue = await api.container.get(LetterQueue)
    for letter in await queue.claim(limit=100, now=A_DAY_LATER, until=A_MONTH_LATER):
        assert await queue.mark_sent(letter, now=A_DAY_LATER)


async def a_full_life(api: Api) -> Person:
    """Sign somebody up who leaves a trace wherever one can be left."""
    headers = {"User-Agent": AGENT}
    body = {"email": EMAIL, "password": PASSWORD, "full_name": NAME}
    account = (await api.post("/users", json=body, headers=headers)).json()
    login = {"email": EMAIL, "password": PASSWORD}
    tokens = [(await api.post("/auth/login", json=login, headers=headers)).json() for _ in range(2)]
    zaphod = Person(account["id"], EMAIL, tokens[0])
    await api.post("/auth/login", json=login | {"password": "not the password at all"}, headers=headers)
    await api.patch("/users/me", zaphod, json={"full_name": f"{NAME} II"}, headers=headers)
    await api.post("/items", zaphod, json={"title": f"The towel of {NAME}", "tags": ["zaphod"]}, headers=headers)
    await api.delete(f"/auth/sessions/{tokens[1]['session_id']}", zaphod, headers=headers)
    spent = {"refresh_token": tokens[1]["refresh_token"]}
    await api.post("/auth/refresh", json=spent, headers=headers)
    await api.get("/users/me/export", zaphod, headers=headers)
    return zaphod


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("by", ["oneself", "an administrator"])
async def test_nothing_tells_whose_the_ids_in_the_audit_were(
    storage: Settings, overrides: tuple[Override, ...], by: str
) -> None:
    async with serve(storage, *overrides) as api:
        zaphod = await a_full_life(api)
        before = found(await dump(api))
        if by == "oneself":
            answer = await api.delete("/users/me", zaphod, json={"password": PASSWORD}, headers={"User-Agent": AGENT})
            left = found(await dump(api))
        else:
            admin = await api.an_admin()
            answer = await api.delete(f"/users/{zaphod.id}", admin)
            everything = await dump(api)
            # The administrator came from the same address; theirs are what is left of it.
            of_admin = {("sessions", "ip"), ("audit_events", "ip")}
            left = found(everything) - of_admin
            kept = [value for table, column, value in everything if (table, column) == ("audit_events", "ip")]
            assert sum(value is not None for value in kept) >= 1

        assert answer.status_code == 204
        assert before >= {
            ("users", "email"),
            ("users", "full_name"),
            ("sessions", "ip"),
            ("sessions", "user_agent"),
            ("items", "title"),
            ("items", "tags"),
            ("audit_events", "ip"),
            ("audit_events", "user_agent"),
        }
        # The letter that says so must still find its way.
        assert left == {("letters", "recipient")}
        await send_all_letters(api)
        assert "heart-of-gold" not in str([value for table, _, value in await dump(api) if table == "letters"])
        records: PersonalDataQueries = await api.container.get(PersonalDataQueries)
        user_id = UserId(UUID(zaphod.id))
        events = await records.events(user_id, limit=100, after=0)
        assert events[-1].action == "user.deleted"
        assert {(event.ip, event.user_agent) for event in events} == {(None, None)}
        assert await records.sessions(user_id) == []
        assert await records.letters(user_id) == []


# --- export


async def test_people_take_along_all_that_is_stored_about_them(stored_api: Api) -> None:
    zaphod = await a_full_life(stored_api)
    admin = await stored_api.an_admin()
    await stored_api.patch(f"/users/{zaphod.id}", admin, json={"full_name": NAME})
    await stored_api.a_person()

    answer = await stored_api.get("/users/me/export", zaphod)

    export: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "attachment" in answer.headers["content-disposition"]
    assert list(export) == [
        "account", "totp_enabled", "sessions", "api_keys", "letters", "audit_events", "items",
    ]  # fmt: skip
    assert export["account"] == (await stored_api.get("/users/me", zaphod)).json()
    assert export["totp_enabled"] is False
    assert export["api_keys"] == []
    assert [(session["ip"], session["user_agent"]) for session in export["sessions"]] == [(IP, AGENT)] * 2
    assert [session["revoked_at"] is None for session in export["sessions"]] == [True, False]
    assert [item["title"] for item in export["items"]] == [f"The towel of {NAME}"]
    # Where an administrator was when they did it is the administrator's affair.
    renames = [event for event in export["audit_events"] if event["action"] == "user.renamed"]
    assert [(event["actor_id"], event["ip"]) for event in renames] == [(zaphod.id, IP), (admin.id, None)]
    assert PASSWORD not in answer.text
    assert "argon2" not in answer.text
    assert admin.email not in answer.text


async def test_an_export_has_every_item_however_many(stored_api: Api) -> None:
    ann = await stored_api.a_person()
    number = 2 * PAGE_MAX + 1
    for n in range(number):
        await stored_api.post("/items", ann, json={"title": f"Item {n}"})

    export = (await stored_api.get("/users/me/export", ann)).json()

    assert [item["title"] for item in export["items"]] == [f"Item {n}" for n in range(number)]


async def test_an_export_is_for_who_is_signed_in(api: Api) -> None:
    problem(await api.get("/users/me/export"), 401, "unauthenticated")

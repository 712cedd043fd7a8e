"""`Idempotency-Key`: a request that comes again is answered as before, and nothing is done twice."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from litestar.exceptions import LitestarException

from adapters.sql.base import metadata
from adapters.sql.engines import Engines
from application.replies import REPLY_KEPT
from application.retention import Leftover, PurgeLeftovers
from domain.errors import Unavailable
from entrypoints.settings import Settings
from tests.api import Api, Person, certainly, problem, serve
from tests.builders import PASSWORD, an_email
from tests.clock import FixedClock
from tests.containers import Given, Overrides, settings_for
from tests.engines import engine_on
from tests.units import use

KEY = {"Idempotency-Key": "01a20788-434b-730a-ad27-acf2a9cae3f7"}
MILK = {"title": "Milk", "tags": ["shop"]}
REPEATS = 25


async def titles(api: Api, person: Person) -> list[str]:
    return [item["title"] for item in (await api.get("/items", person)).json()["data"]]


def same(answer: httpx.Response, other: httpx.Response) -> bool:
    """Tell whether two answers say the same."""
    ignored = {"x-request-id", "idempotency-replayed"}
    headers = [{name: value for name, value in each.headers.items() if name not in ignored} for each in (answer, other)]
    return (answer.status_code, headers[0], answer.content) == (other.status_code, headers[1], other.content)


async def test_a_request_that_comes_again_gets_the_same_answer(stored_api: Api) -> None:
    ann = await stored_api.a_person()

    first = await stored_api.post("/items", ann, json=MILK, headers=KEY)
    again = await stored_api.post("/items", ann, json=MILK, headers=KEY)

    assert first.status_code == 201
    assert first.headers["etag"] == '"1"'
    assert first.headers["location"] == f"/api/v1/items/{first.json()['id']}"
    assert "idempotency-replayed" not in first.headers
    assert same(first, again)
    assert again.headers["idempotency-replayed"] == "true"
    assert await titles(stored_api, ann) == ["Milk"]


async def test_an_answer_is_told_again_though_the_item_has_changed_since(api: Api, ann: Person) -> None:
    first = await api.post("/items", ann, json=MILK, headers=KEY)
    await api.patch(f"/items/{first.json()['id']}", ann, json={"title": "Bread"})
    changed = await api.post("/items", ann, json=MILK, headers=KEY)
    await api.delete(f"/items/{first.json()['id']}", ann)
    deleted = await api.post("/items", ann, json=MILK, headers=KEY)

    assert same(first, changed)
    assert same(first, deleted)


@pytest.mark.parametrize(
    "content",
    [
        b' { "tags" : ["shop"],\n"title":"Milk" } ',
        b'{"title":"\\u004dilk","tags":["shop"],"description":null}',
        b'{"title":"Beer","title":"Milk","tags":["shop"]}',
    ],
)
async def test_how_a_body_is_written_does_not_matter(api: Api, ann: Person, content: bytes) -> None:
    first = await api.post("/items", ann, json=MILK, headers=KEY)

    again = await api.post("/items", ann, content=content, headers={**KEY, "Content-Type": "application/json"})

    assert same(first, again)


async def test_a_key_may_come_quoted(api: Api, ann: Person) -> None:
    first = await api.post("/items", ann, json=MILK, headers=KEY)

    again = await api.post("/items", ann, json=MILK, headers={"Idempotency-Key": f'"{KEY["Idempotency-Key"]}"'})

    assert same(first, again)


async def test_a_key_that_was_sent_with_something_else_is_refused(stored_api: Api) -> None:
    ann = await stored_api.a_person()
    await stored_api.post("/items", ann, json=MILK, headers=KEY)

    answer = await stored_api.post("/items", ann, json={"title": "Beer"}, headers=KEY)

    problem(answer, 422, "idempotency_key_reused")
    assert await titles(stored_api, ann) == ["Milk"]


async def test_the_keys_of_others_are_others(stored_api: Api) -> None:
    ann, bob = await stored_api.a_person(), await stored_api.a_person()

    answers = [await stored_api.post("/items", person, json=MILK, headers=KEY) for person in (ann, bob)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]


@pytest.mark.parametrize("key", ["", " ", '""', '"', '"a', "a b", "ä", "x" * 129, "a\\b", 'a"b'])
async def test_what_is_no_key_is_refused(api: Api, ann: Person, key: str) -> None:
    answer = await api.post("/items", ann, json=MILK, headers=[*ann.headers.items(), ("Idempotency-Key", key.encode())])

    problem(answer, 400, "malformed_header")
    assert await titles(api, ann) == []


async def test_two_keys_are_refused(api: Api, ann: Person) -> None:
    headers = [*ann.headers.items(), ("Idempotency-Key", "1"), ("Idempotency-Key", "2")]

    problem(await api.client.request("POST", "/api/v1/items", json=MILK, headers=headers), 400, "malformed_header")


async def test_what_was_refused_may_be_corrected_under_the_same_key(stored_api: Api) -> None:
    ann = await stored_api.a_person()

    refused = await stored_api.post("/items", ann, json={"title": "\u0000"}, headers=KEY)
    corrected = await stored_api.post("/items", ann, json=MILK, headers=KEY)

    assert [refused.status_code, corrected.status_code] == [422, 201]


@pytest.mark.parametrize(("failure", "status"), [(Unavailable(), 503), (RuntimeError(), 500)])
async def test_what_failed_is_not_kept(
    api: Api, ann: Person, monkeypatch: pytest.MonkeyPatch, failure: Exception, status: int
) -> None:
    async def fail(*_: object) -> None:
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr("adapters.memory.items.MemoryItemRepository.add", fail)
        failed = await api.post("/items", ann, json=MILK, headers=KEY)
    again = await api.post("/items", ann, json=MILK, headers=KEY)

    assert (failed.status_code, again.status_code) == (status, 201)
    assert "idempotency-replayed" not in again.headers


async def test_of_many_at_once_one_is_carried_out(stored_api: Api) -> None:
    ann = await stored_api.a_person()

    answers = await asyncio.gather(
        *(certainly(partial(stored_api.post, "/items", ann, json=MILK, headers=KEY)) for _ in range(REPEATS))
    )

    done = [answer for answer in answers if answer.status_code == 201]
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert len(done) + len(waiting) == REPEATS
    assert len({answer.json()["id"] for answer in done}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in done) == 1
    for answer in waiting:
        problem(answer, 409, "idempotency_in_progress")
        assert answer.headers["retry-after"] == "1"
    assert await titles(stored_api, ann) == ["Milk"]


async def test_an_answer_that_never_arrived_is_told_when_it_is_asked_for_again(stored_api: Api) -> None:
    """As after a crash between the commit and the answer: what is known of the request is in the database alone."""
    ann = await stored_api.a_person()

    async def lose(_: Any) -> None:
        raise BrokenPipeError

    message = {"type": "http.request", "body": b'{"title":"Milk","tags":["shop"]}', "more_body": False}
    headers = {**KEY, "Content-Type": "application/json"}
    with pytest.raises(LitestarException):
        await stored_api.send_raw("POST", "/items", ann, headers=headers, messages=[message], send=lose)
    again = await stored_api.post("/items", ann, json=MILK, headers=KEY)

    assert again.status_code == 201
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["title"] == "Milk"
    assert await titles(stored_api, ann) == ["Milk"]


async def test_a_key_is_forgotten_after_a_day_and_its_row_removed(stored_api: Api, clock: FixedClock) -> None:
    ann = await stored_api.a_person()
    await stored_api.post("/items", ann, json=MILK, headers=KEY)

    clock.advance(REPLY_KEPT + timedelta(seconds=1))
    ann = Person(ann.id, ann.email, (await stored_api.login(ann.email)).json())
    removed = await use(stored_api.container, PurgeLeftovers)()
    again = await stored_api.post("/items", ann, json=MILK, headers=KEY)

    assert removed[Leftover.OLD_REPLIES] == 1
    assert again.status_code == 201
    assert "idempotency-replayed" not in again.headers
    assert await titles(stored_api, ann) == ["Milk", "Milk"]


# --- sign-up


async def test_a_sign_up_that_comes_again_is_no_taken_address(stored_api: Api) -> None:
    body = {"email": an_email(), "password": PASSWORD}

    first = await stored_api.post("/users", json=body, headers=KEY)
    again = await stored_api.post("/users", json=body, headers=KEY)
    otherwise = await stored_api.post("/users", json=body | {"full_name": "Ann"}, headers=KEY)
    keyless = await stored_api.post("/users", json=body)

    assert first.status_code == 201
    assert same(first, again)
    problem(otherwise, 422, "idempotency_key_reused")
    problem(keyless, 409, "email_taken")


async def test_of_many_sign_ups_at_once_one_makes_an_account_and_none_finds_it_taken(stored_api: Api) -> None:
    body = {"email": an_email(), "password": PASSWORD}

    answers = await asyncio.gather(
        *(certainly(partial(stored_api.post, "/users", json=body, headers=KEY)) for _ in range(REPEATS))
    )

    codes = {answer.json().get("code") for answer in answers if answer.status_code != 201}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert codes <= {"idempotency_in_progress"}


async def test_a_sign_up_that_tells_nothing_tells_it_again(clock: FixedClock) -> None:
    settings = settings_for("memory:", SIGNUP="verified")
    body = {"email": an_email(), "password": PASSWORD}

    async with serve(settings, Overrides(clock)) as api:
        first = await api.post("/users", json=body, headers=KEY)
        again = await api.post("/users", json=body, headers=KEY)

    assert first.status_code == 202
    assert same(first, again)
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_what_is_stored_helps_nobody_to_guess_the_password(
    stored_api: Api, storage: Settings, clock: FixedClock, engines_of: Callable[[str], Engines]
) -> None:
    body = {"email": "ann@example.org", "password": PASSWORD}

    made = await stored_api.post("/users", json=body, headers=KEY)
    async with engine_on(engines_of(storage.database_url).write).connect() as connection:
        (row,) = (await connection.execute(sa.select(metadata.tables["replies"]))).mappings().all()

    assert PASSWORD.encode() not in row["body"]
    assert KEY["Idempotency-Key"].encode() not in row["key"]
    assert str(row["owner_id"]) == made.json()["id"]
    # The fingerprint is keyed: without PORTICO_SECRET_KEY nobody can tell which body it is of.
    other_secret = settings_for(storage.database_url, SECRET_KEY="x" * 40)
    overrides = (Overrides(clock), Given({Engines: engines_of(storage.database_url)}))
    async with serve(other_secret, *overrides) as elsewhere:
        problem(await elsewhere.post("/users", json=body, headers=KEY), 422, "idempotency_key_reused")

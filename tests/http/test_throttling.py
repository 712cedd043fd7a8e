"""What happens to who tries too often, and to who does not."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from adapters.security.argon2 import Argon2PasswordHasher
from application.auth.ports import PasswordCheck, PasswordHasher
from application.throttling import LOGIN_BY_ACCOUNT, LOGIN_BY_ADDRESS, REFRESH_BY_SESSION, SIGNUP_BY_ADDRESS
from domain.auth.password import Password
from entrypoints.settings import Settings
from tests.api import Api, HttpClient, Person, problem, serve
from tests.builders import PASSWORD, an_email
from tests.clock import FixedClock
from tests.containers import Given, Override, Overrides

WRONG = "not the password at all"
ELSEWHERE = "198.51.100.7"


class CountingHasher(PasswordHasher):
    """Hashes cheaply, and counts the passwords that reached it."""

    def __init__(self) -> None:
        self._hasher = Argon2PasswordHasher(threads=1, memory_kib=8, time_cost=1, waiting_max=1_000)
        self.checks = 0

    async def hash(self, password: Password) -> str:
        return await self._hasher.hash(password)

    async def check(self, password: Password, password_hash: str | None) -> PasswordCheck:
        self.checks += 1
        return await self._hasher.check(password, password_hash)

    def close(self) -> None:
        self._hasher.close()


@pytest.fixture
def hasher() -> Iterator[CountingHasher]:
    hasher = CountingHasher()
    yield hasher
    hasher.close()


def elsewhere(api: Api, ip: str = ELSEWHERE) -> Api:
    """Return the same application, called from another address."""
    return Api(HttpClient(api.app, ip), api.app)


async def statuses(api: Api, email: str, password: str, times: int) -> list[int]:
    return [(await api.login(email, password)).status_code for _ in range(times)]


def anonymous(response: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return all of an answer but what is different in each."""
    body = {name: value for name, value in response.json().items() if name != "request_id"}
    headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    return response.status_code, body, headers


# --- login


@pytest.mark.parametrize("known", [True, False])
async def test_after_a_burst_of_wrong_passwords_an_account_waits(
    stored_api: Api, clock: FixedClock, known: bool
) -> None:
    email = (await stored_api.a_person()).email if known else an_email()
    stranger = elsewhere(stored_api)
    assert await statuses(stranger, email, WRONG, 11) == [401] * 10 + [429]

    refused = await stranger.login(email, PASSWORD)
    problem(refused, 429, "too_many_requests")
    assert refused.headers["retry-after"] == "60"

    clock.advance(LOGIN_BY_ACCOUNT.interval)
    assert await statuses(stranger, email, WRONG, 2) == [401, 429]


async def test_known_and_unknown_addresses_are_refused_alike(stored_api: Api) -> None:
    known, unknown = (await stored_api.a_person()).email, an_email()
    stranger = elsewhere(stored_api)
    for email in (known, unknown):
        await statuses(stranger, email, WRONG, 10)
    answers = [anonymous(await stranger.login(email, WRONG)) for email in (known, unknown)]

    # The addresses are of one length, so that the lengths of the answers can be compared too.
    assert answers[0] == answers[1]
    assert answers[0][0] == 429


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("somebody@example.org", " SomeBody@EXAMPLE.org\t"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@bücher.example", "a@bu\N{COMBINING DIAERESIS}cher.example"),
        ("no address", "NO address "),
        ("é", "e\N{COMBINING ACUTE ACCENT}"),
    ],
)
async def test_each_spelling_of_an_address_counts_together(api: Api, one: str, other: str) -> None:
    assert await statuses(api, one, WRONG, 5) + await statuses(api, other, WRONG, 6) == [401] * 10 + [429]


async def test_strangers_cant_lock_an_owner_out_of_a_known_place(stored_api: Api) -> None:
    owner = await stored_api.a_person()
    attacker = elsewhere(stored_api)
    assert (await statuses(attacker, owner.email, WRONG, 12))[-1] == 429

    neighbour = elsewhere(stored_api, "203.0.113.200")
    new_place = elsewhere(stored_api, "192.0.2.1")
    assert (await stored_api.login(owner.email)).status_code == 200
    assert (await neighbour.login(owner.email)).status_code == 200
    problem(await new_place.login(owner.email), 429, "too_many_requests")


async def test_a_place_stays_known_when_its_session_has_ended(stored_api: Api) -> None:
    owner = await stored_api.a_person()
    await stored_api.post("/auth/logout", owner)
    attacker = elsewhere(stored_api)
    await statuses(attacker, owner.email, WRONG, 10)

    assert (await stored_api.login(owner.email)).status_code == 200


async def test_guesses_from_a_known_place_are_counted_there(stored_api: Api) -> None:
    owner = await stored_api.a_person()

    assert await statuses(stored_api, owner.email, WRONG, 11) == [401] * 10 + [429]
    stranger = elsewhere(stored_api)
    assert (await stranger.login(owner.email, WRONG)).status_code == 401


async def test_an_owner_who_signs_in_all_day_is_not_refused(stored_api: Api, clock: FixedClock) -> None:
    owner = await stored_api.a_person()

    for _ in range(20):
        assert (await stored_api.login(owner.email)).status_code == 200
        clock.advance(LOGIN_BY_ADDRESS.interval)


async def test_a_right_password_gives_no_guesser_more_tries(stored_api: Api) -> None:
    owner = await stored_api.a_person()

    guesses = []
    for _ in range(11):
        guesses.append((await stored_api.login(owner.email, WRONG)).status_code)
        await stored_api.login(owner.email)

    assert guesses == [401] * 10 + [429]


async def test_one_network_tries_no_more_accounts_than_its_burst(stored_api: Api) -> None:
    first, second = "2001:db8:0:1::1", "2001:db8:0:1:ffff::2"
    one = elsewhere(stored_api, first)
    same = elsewhere(stored_api, second)
    tried = [(await (one, same)[number % 2].login(an_email(), WRONG)).status_code for number in range(31)]

    assert tried == [401] * 30 + [429]
    refused = await one.login(an_email(), WRONG)
    assert refused.headers["retry-after"] == "2"
    neighbour = elsewhere(stored_api, "2001:db8:0:2::1")
    assert (await neighbour.login(an_email(), WRONG)).status_code == 401


@pytest.mark.long
@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_of_five_hundred_wrong_passwords_at_once_no_more_than_the_burst_is_hashed(
    storage: Settings, overrides: tuple[Override, ...], hasher: CountingHasher
) -> None:
    async with serve(storage, *overrides, Given({PasswordHasher: hasher})) as api:
        email = (await api.a_person()).email
        hasher.checks = 0

        attacker = elsewhere(api)
        answers = await asyncio.gather(*(attacker.login(email, WRONG) for _ in range(500)))

    found = {answer.status_code for answer in answers}
    assert found <= {401, 429, 503}
    assert 1 <= hasher.checks <= LOGIN_BY_ACCOUNT.burst
    assert sum(answer.status_code == 401 for answer in answers) <= hasher.checks


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_a_restart_forgives_nothing(storage: Settings, clock: FixedClock) -> None:
    email = an_email()
    async with serve(storage, Overrides(clock)) as before:
        await statuses(before, email, WRONG, 10)

    async with serve(storage, Overrides(clock)) as after:
        problem(await after.login(email, WRONG), 429, "too_many_requests")


async def test_nobody_is_refused_while_throttling_is_off(settings: Settings, clock: FixedClock) -> None:
    async with serve(replace(settings, throttle=False), Overrides(clock)) as api:
        assert set(await statuses(api, an_email(), WRONG, 40)) == {401}


# --- the OAuth token endpoint


async def test_the_token_endpoint_counts_with_the_login_and_refuses_in_the_words_of_oauth(api: Api) -> None:
    form = {"grant_type": "password", "username": an_email(), "password": WRONG}
    await statuses(api, form["username"], WRONG, 10)

    refused = await api.post("/auth/token", data=form)

    assert refused.status_code == 429
    assert refused.json()["error"] == "slow_down"
    assert refused.headers["content-type"] == "application/json"
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["cache-control"] == "no-store"


# --- refresh


async def test_a_session_is_refreshed_no_more_often_than_its_burst(stored_api: Api, clock: FixedClock) -> None:
    ann, bob = await stored_api.a_person(), await stored_api.a_person()

    async def refresh(person: Person) -> httpx.Response:
        return await stored_api.post("/auth/refresh", json={"refresh_token": person.tokens["refresh_token"]})

    answers = [(await refresh(ann)).status_code for _ in range(REFRESH_BY_SESSION.burst + 1)]
    assert answers == [200] * REFRESH_BY_SESSION.burst + [429]
    assert (await refresh(ann)).headers["retry-after"] == "2"
    assert (await refresh(bob)).status_code == 200
    clock.advance(REFRESH_BY_SESSION.interval)
    assert (await refresh(ann)).status_code == 200


async def test_nobody_uses_up_a_session_s_tries_without_its_token(api: Api, ann: Person) -> None:
    sid, counter, _ = ann.tokens["refresh_token"].split(".")
    for _ in range(REFRESH_BY_SESSION.burst + 1):
        await api.post("/auth/refresh", json={"refresh_token": f"{sid}.{counter}.{'A' * 43}"})

    answer = await api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})

    assert answer.status_code == 200


# --- sign-up


async def test_one_network_makes_no_more_accounts_than_its_burst(api: Api, clock: FixedClock) -> None:
    async def sign_up(api: Api) -> httpx.Response:
        return await api.post("/users", json={"email": an_email(), "password": PASSWORD})

    made = [(await sign_up(api)).status_code for _ in range(SIGNUP_BY_ADDRESS.burst)]
    refused = await sign_up(api)

    assert set(made) == {201}
    problem(refused, 429, "too_many_requests")
    assert refused.headers["retry-after"] == "30"
    other = elsewhere(api)
    assert (await sign_up(other)).status_code == 201
    clock.advance(timedelta(seconds=30))
    assert (await sign_up(api)).status_code == 201

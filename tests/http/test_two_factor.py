"""The second factor over HTTP: on with a code, in with a code, off with a code; each code once."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pyotp
import pytest
from dishka import AsyncContainer

from adapters.memory.audit import AUDIT_EVENTS
from adapters.memory.outbox import LETTERS
from adapters.memory.store import MemoryStore
from adapters.throttle import NullThrottle
from application.outbox import Letter, LetterTemplate
from application.ports import Throttle
from domain.audit import AuditAction, AuditLink
from domain.ids import UserId
from domain.users.user import User
from entrypoints.settings import Settings
from tests.api import Api, Person, certainly, problem, serve
from tests.builders import PASSWORD
from tests.clock import FixedClock
from tests.containers import Given, Override, Overrides, settings_for
from tests.units import a_unit

A_STEP = timedelta(seconds=30)
WRONG = "wrong horse battery staple"


@pytest.fixture
async def unthrottled_api(storage: Settings, overrides: tuple[Override, ...]) -> AsyncIterator[Api]:
    """Provide the API on each storage, without throttling, so that a race is decided by what the test is about."""
    async with serve(storage, *overrides, Given({Throttle: NullThrottle()})) as api:
        yield api


@dataclass
class Factor:
    """A person's authenticator, and the recovery codes on their piece of paper."""

    person: Person
    secret: str
    clock: FixedClock
    recovery_codes: list[str] = field(default_factory=list)

    def code(self) -> str:
        """Return what the authenticator shows now."""
        return pyotp.TOTP(self.secret).at(self.clock.now())

    def next_code(self) -> str:
        """Wait for the next code, and return it."""
        self.clock.advance(A_STEP)
        return self.code()

    def wrong_code(self) -> str:
        """Return a code that the authenticator shows neither now nor a step off."""
        totp = pyotp.TOTP(self.secret)
        shown = {totp.at(self.clock.now() + off * A_STEP) for off in (-1, 0, 1)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in shown)


async def begin(api: Api, person: Person, clock: FixedClock) -> Factor:
    answer = await api.post("/auth/mfa/totp", person, json={"password": PASSWORD})
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"secret", "otpauth_uri"}
    return Factor(person, answer.json()["secret"], clock)


async def confirm(api: Api, factor: Factor, code: str | None = None) -> httpx.Response:
    return await api.post("/auth/mfa/totp/confirm", factor.person, json={"code": code or factor.code()})


async def enable(api: Api, person: Person, clock: FixedClock) -> Factor:
    factor = await begin(api, person, clock)
    answer = await confirm(api, factor)
    assert answer.status_code == 200, answer.text
    factor.recovery_codes = answer.json()["recovery_codes"]
    return factor


async def challenge(api: Api, person: Person, password: str = PASSWORD) -> str:
    answer = await api.login(person.email, password)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"mfa_required", "mfa_token"}
    assert answer.json()["mfa_required"] is True
    token: str = answer.json()["mfa_token"]
    return token


async def answer_with(api: Api, mfa_token: str, code: str) -> httpx.Response:
    return await api.post("/auth/login/mfa", json={"mfa_token": mfa_token, "code": code})


async def disable(api: Api, factor: Factor, code: str, password: str = PASSWORD) -> httpx.Response:
    return await api.delete("/auth/mfa/totp", factor.person, json={"password": password, "code": code})


async def whoami(api: Api, tokens: dict[str, Any]) -> int:
    answer = await api.get("/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    return answer.status_code


def container_of(api: Api) -> AsyncContainer:
    return api.container


async def change(api: Api, person: Person, change: Callable[[User], None]) -> None:
    """Change the account behind everybody's back."""
    async with a_unit(container_of(api)) as unit:
        account = await unit.users.get(UserId(UUID(person.id)))
        account.rename(account.full_name, now=account.updated_at)
        change(account)
        await unit.users.save(account)
        await unit.commit()


async def events(api: Api) -> list[AuditAction]:
    store: MemoryStore = await container_of(api).get(MemoryStore)
    return [AuditAction(stored.event.action) for stored in store.table(AUDIT_EVENTS, AuditLink).values()]


async def letters(api: Api) -> list[tuple[LetterTemplate, str]]:
    store: MemoryStore = await container_of(api).get(MemoryStore)
    return [(letter.template, letter.recipient) for letter in store.table(LETTERS, Letter).values()]


# --- on


async def test_turns_on_with_a_first_code(stored_api: Api, clock: FixedClock) -> None:
    person = await stored_api.a_person()

    factor = await begin(stored_api, person, clock)
    pending = await stored_api.login(person.email)
    on = await confirm(stored_api, factor)

    assert "access_token" in pending.json()
    assert on.status_code == 200
    codes = on.json()["recovery_codes"]
    assert len(set(codes)) == 10
    assert {len(code) for code in codes} == {29}
    await challenge(stored_api, person)


async def test_turning_on_ends_the_other_sessions_and_tells_the_owner(api: Api, clock: FixedClock) -> None:
    person = await api.a_person()
    other = (await api.login(person.email)).json()

    await enable(api, person, clock)

    assert (await whoami(api, person.tokens), await whoami(api, other)) == (200, 401)
    assert AuditAction.MFA_ENABLED in await events(api)
    assert (await letters(api))[-1] == (LetterTemplate.MFA_ENABLED, person.email)


async def test_begins_only_with_the_password(api: Api, ann: Person) -> None:
    problem(await api.post("/auth/mfa/totp", ann, json={"password": WRONG}), 403, "wrong_password")
    problem(await api.post("/auth/mfa/totp", json={"password": PASSWORD}), 401, "unauthenticated")


async def test_the_last_seed_begun_counts(api: Api, ann: Person, clock: FixedClock) -> None:
    first, second = await begin(api, ann, clock), await begin(api, ann, clock)

    problem(await confirm(api, first), 401, "invalid_code")
    assert (await confirm(api, second)).status_code == 200


async def test_begins_nothing_where_it_is_on(api: Api, ann: Person, clock: FixedClock) -> None:
    await enable(api, ann, clock)

    problem(await api.post("/auth/mfa/totp", ann, json={"password": PASSWORD}), 409, "mfa_already_enabled")


async def test_a_wrong_code_turns_nothing_on(api: Api, ann: Person, clock: FixedClock) -> None:
    problem(await api.post("/auth/mfa/totp/confirm", ann, json={"code": "123456"}), 409, "mfa_not_enabled")
    factor = await begin(api, ann, clock)

    for code in (factor.wrong_code(), "not a code"):
        problem(await confirm(api, factor, code), 401, "invalid_code")

    assert "access_token" in (await api.login(ann.email)).json()
    assert (await events(api)).count(AuditAction.MFA_FAILED) == 2


async def test_confirming_again_replaces_the_recovery_codes(api: Api, ann: Person, clock: FixedClock) -> None:
    factor = await enable(api, ann, clock)
    other = (await answer_with(api, await challenge(api, ann), factor.next_code())).json()

    problem(await confirm(api, factor), 401, "invalid_code")
    renewed = await confirm(api, factor, factor.next_code())

    assert renewed.status_code == 200
    assert not set(renewed.json()["recovery_codes"]) & set(factor.recovery_codes)
    mfa_token = await challenge(api, ann)
    problem(await answer_with(api, mfa_token, factor.recovery_codes[0]), 401, "invalid_code")
    assert (await answer_with(api, mfa_token, renewed.json()["recovery_codes"][0])).status_code == 200
    assert await whoami(api, other) == 200


# --- in


@pytest.mark.parametrize("how", ["totp", "recovery code"])
async def test_signs_in_with_a_code_once(stored_api: Api, clock: FixedClock, how: str) -> None:
    factor = await enable(stored_api, await stored_api.a_person(), clock)
    code = factor.next_code() if how == "totp" else factor.recovery_codes[3].lower()

    first = await answer_with(stored_api, await challenge(stored_api, factor.person), code)
    second = await answer_with(stored_api, await challenge(stored_api, factor.person), code)

    assert first.status_code == 200
    assert await whoami(stored_api, first.json()) == 200
    problem(second, 401, "invalid_code")


async def test_a_sign_in_with_a_code_is_recorded(api: Api, ann: Person, clock: FixedClock) -> None:
    factor = await enable(api, ann, clock)

    await answer_with(api, await challenge(api, ann), factor.recovery_codes[0])
    await answer_with(api, await challenge(api, ann), factor.wrong_code())

    assert [action for action in await events(api) if action.startswith("mfa.")] == [
        AuditAction.MFA_ENABLED,
        AuditAction.RECOVERY_CODE_USED,
        AuditAction.MFA_FAILED,
    ]


async def test_the_code_that_turned_it_on_signs_nobody_in(api: Api, ann: Person, clock: FixedClock) -> None:
    factor = await enable(api, ann, clock)

    problem(await answer_with(api, await challenge(api, ann), factor.code()), 401, "invalid_code")


@pytest.mark.parametrize(("off", "status"), [(-2, 401), (-1, 200), (1, 200), (2, 401)])
async def test_accepts_codes_of_one_step_before_or_after(
    api: Api, ann: Person, clock: FixedClock, off: int, status: int
) -> None:
    factor = await enable(api, ann, clock)
    clock.advance(4 * A_STEP)
    code = pyotp.TOTP(factor.secret).at(clock.now() + off * A_STEP)

    assert (await answer_with(api, await challenge(api, ann), code)).status_code == status


async def test_a_challenge_opens_one_session(api: Api, ann: Person, clock: FixedClock) -> None:
    factor = await enable(api, ann, clock)
    mfa_token = await challenge(api, ann)

    assert (await answer_with(api, mfa_token, factor.recovery_codes[0])).status_code == 200
    problem(await answer_with(api, mfa_token, factor.recovery_codes[1]), 401, "invalid_mfa_token")


async def test_a_challenge_dies_after_five_wrong_codes(stored_api: Api, clock: FixedClock) -> None:
    factor = await enable(stored_api, await stored_api.a_person(), clock)
    mfa_token = await challenge(stored_api, factor.person)

    for _ in range(5):
        problem(await answer_with(stored_api, mfa_token, factor.wrong_code()), 401, "invalid_code")

    problem(await answer_with(stored_api, mfa_token, factor.next_code()), 401, "invalid_mfa_token")


async def test_the_fifth_code_may_be_right(api: Api, ann: Person, clock: FixedClock) -> None:
    factor = await enable(api, ann, clock)
    mfa_token = await challenge(api, ann)

    for code in ("", "123 45", "x" * 64, factor.wrong_code()):
        problem(await answer_with(api, mfa_token, code), 401, "invalid_code")

    assert (await answer_with(api, mfa_token, factor.next_code())).status_code == 200


async def test_a_challenge_lasts_five_minutes(api: Api, ann: Person, clock: FixedClock) -> None:
    factor = await enable(api, ann, clock)
    in_time, too_late = await challenge(api, ann), await challenge(api, ann)

    clock.advance(timedelta(minutes=5) - timedelta(microseconds=1))
    assert (await answer_with(api, in_time, factor.code())).status_code == 200
    clock.advance(timedelta(microseconds=1))
    problem(await answer_with(api, too_late, factor.recovery_codes[0]), 401, "invalid_mfa_token")


@pytest.mark.parametrize(
    "becomes",
    [
        pytest.param(lambda account: setattr(account, "is_active", False), id="deactivated"),
        pytest.param(lambda account: setattr(account, "password_hash", "another"), id="another password"),
    ],
)
async def test_opens_no_session_once_the_account_has_changed(
    stored_api: Api, clock: FixedClock, becomes: Callable[[User], None]
) -> None:
    factor = await enable(stored_api, await stored_api.a_person(), clock)
    mfa_token = await challenge(stored_api, factor.person)

    await change(stored_api, factor.person, becomes)

    problem(await answer_with(stored_api, mfa_token, factor.next_code()), 401, "invalid_mfa_token")


async def test_opens_no_session_once_the_factor_is_off(api: Api, ann: Person, clock: FixedClock) -> None:
    factor = await enable(api, ann, clock)
    mfa_token = await challenge(api, ann)
    await disable(api, factor, factor.next_code())

    problem(await answer_with(api, mfa_token, factor.next_code()), 401, "invalid_mfa_token")


async def test_codes_are_throttled_by_account(api: Api, ann: Person, clock: FixedClock) -> None:
    factor = await enable(api, ann, clock)
    bob = await enable(api, await api.a_person(), clock)
    refused = []
    for _ in range(3):
        mfa_token = await challenge(api, ann)
        refused += [await answer_with(api, mfa_token, factor.wrong_code()) for _ in range(4)]

    problem(refused[-1], 429, "too_many_requests")
    assert refused[-1].headers["retry-after"].isdigit()
    problem(await answer_with(api, await challenge(api, ann), factor.next_code()), 429, "too_many_requests")
    problem(await confirm(api, factor), 429, "too_many_requests")
    assert (await answer_with(api, await challenge(api, bob.person), bob.code())).status_code == 200


async def test_a_body_must_be_complete_and_nothing_else(api: Api) -> None:
    for body in ({"code": "123456"}, {"mfa_token": "x"}, {"mfa_token": "x", "code": "1", "email": "a@example.org"}):
        problem(await api.post("/auth/login/mfa", json=body), 422, "validation_failed")
    problem(await answer_with(api, "x" * 129, "123456"), 422, "validation_failed")


async def test_the_token_endpoint_gives_no_tokens_for_a_password_alone(
    api: Api, ann: Person, clock: FixedClock
) -> None:
    await enable(api, ann, clock)

    answer = await api.post("/auth/token", data={"grant_type": "password", "username": ann.email, "password": PASSWORD})

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"
    assert answer.json()["error_description"].startswith("mfa_required")
    assert "token" not in answer.json()


# --- tokens of one kind are no tokens of another


async def test_a_challenges_token_is_good_for_nothing_else(api: Api, ann: Person, clock: FixedClock) -> None:
    await enable(api, ann, clock)
    mfa_token = await challenge(api, ann)

    problem(await api.get("/users/me", headers={"Authorization": f"Bearer {mfa_token}"}), 401, "invalid_token")
    problem(await api.post("/auth/refresh", json={"refresh_token": mfa_token}), 401, "invalid_refresh_token")
    grant = await api.post("/auth/token", data={"grant_type": "refresh_token", "refresh_token": mfa_token})
    assert (grant.status_code, grant.json()["error"]) == (400, "invalid_grant")


async def test_no_other_token_is_a_challenges(api: Api, ann: Person, clock: FixedClock) -> None:
    factor = await enable(api, ann, clock)
    key = await api.post("/auth/api-keys", ann, json={"name": "CI", "scopes": ["items:read"]})
    others = [ann.tokens["refresh_token"], key.json()["key"], ann.tokens["session_id"], factor.recovery_codes[0]]

    for other in others:
        problem(await answer_with(api, other, factor.next_code()), 401, "invalid_mfa_token")
    problem(await answer_with(api, ann.tokens["access_token"], factor.code()), 422, "validation_failed")


async def test_no_part_of_a_challenges_token_and_no_flipped_one_is_good(
    api: Api, ann: Person, clock: FixedClock
) -> None:
    await enable(api, ann, clock)
    mfa_token = await challenge(api, ann)
    forged = [mfa_token[:length] for length in range(0, len(mfa_token), 4)]
    forged += [
        mfa_token[:place] + chr(ord(mfa_token[place]) ^ 1) + mfa_token[place + 1 :] for place in range(len(mfa_token))
    ]

    for token in forged:
        problem(await answer_with(api, token, "123456"), 401, "invalid_mfa_token")


def all_of(database: Path) -> bytes:
    return b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))


async def test_nothing_that_was_seen_on_the_wire_is_stored(sqlite_copy: Path, clock: FixedClock) -> None:
    async with serve(settings_for(f"sqlite:///{sqlite_copy}"), Overrides(clock)) as api:
        factor = await enable(api, await api.a_person(), clock)
        mfa_token = await challenge(api, factor.person)
        stored = all_of(sqlite_copy)

    for secret in (
        mfa_token,
        mfa_token[26:],
        factor.secret,
        factor.recovery_codes[0],
        factor.recovery_codes[0].replace("-", ""),
    ):
        assert secret.encode() not in stored
    assert base64.b32decode(factor.secret) not in stored


# --- off


@pytest.mark.parametrize("how", ["totp", "recovery code"])
async def test_turns_off_with_the_password_and_a_code(stored_api: Api, clock: FixedClock, how: str) -> None:
    factor = await enable(stored_api, await stored_api.a_person(), clock)
    code = factor.next_code() if how == "totp" else factor.recovery_codes[0]

    off = await disable(stored_api, factor, code)

    assert (off.status_code, off.content) == (204, b"")
    assert "access_token" in (await stored_api.login(factor.person.email)).json()
    problem(await disable(stored_api, factor, factor.next_code()), 409, "mfa_not_enabled")


async def test_turning_off_ends_the_other_sessions_and_tells_the_owner(
    api: Api, ann: Person, clock: FixedClock
) -> None:
    factor = await enable(api, ann, clock)
    other = (await answer_with(api, await challenge(api, ann), factor.next_code())).json()

    await disable(api, factor, factor.next_code())

    assert (await whoami(api, ann.tokens), await whoami(api, other)) == (200, 401)
    assert AuditAction.MFA_DISABLED in await events(api)
    assert (await letters(api))[-1] == (LetterTemplate.MFA_DISABLED, ann.email)


async def test_turns_off_with_nothing_less(api: Api, ann: Person, clock: FixedClock) -> None:
    factor = await enable(api, ann, clock)

    problem(await disable(api, factor, factor.next_code(), WRONG), 403, "wrong_password")
    problem(await disable(api, factor, factor.wrong_code()), 401, "invalid_code")
    problem(await api.delete("/auth/mfa/totp", json={"password": PASSWORD, "code": "1"}), 401, "unauthenticated")

    await challenge(api, ann)
    assert AuditAction.MFA_FAILED in await events(api)


async def test_what_was_turned_off_can_be_turned_on_again(api: Api, ann: Person, clock: FixedClock) -> None:
    first = await enable(api, ann, clock)
    await disable(api, first, first.next_code())

    second = await enable(api, ann, clock)

    mfa_token = await challenge(api, ann)
    problem(await answer_with(api, mfa_token, first.recovery_codes[0]), 401, "invalid_code")
    assert (await answer_with(api, mfa_token, second.recovery_codes[0])).status_code == 200


# --- at once


async def answer_certainly(api: Api, mfa_token: str, code: str) -> httpx.Response:
    return await certainly(lambda: answer_with(api, mfa_token, code))


async def statuses(calls: list[Awaitable[httpx.Response]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for answer in await asyncio.gather(*calls):
        found[answer.status_code] = found.get(answer.status_code, 0) + 1
    return found


@pytest.mark.parametrize("how", ["totp", "recovery code"])
async def test_a_code_signs_in_once_when_fifty_use_it_at_once(
    unthrottled_api: Api, clock: FixedClock, how: str
) -> None:
    api = unthrottled_api
    factor = await enable(api, await api.a_person(), clock)
    code = factor.next_code() if how == "totp" else factor.recovery_codes[0]
    mfa_tokens = [await challenge(api, factor.person) for _ in range(50)]

    found = await statuses([answer_certainly(api, mfa_token, code) for mfa_token in mfa_tokens])

    assert found == {200: 1, 401: 49}


async def test_a_challenge_signs_in_once_when_fifty_use_it_at_once(unthrottled_api: Api, clock: FixedClock) -> None:
    api = unthrottled_api
    factor = await enable(api, await api.a_person(), clock)
    mfa_token = await challenge(api, factor.person)
    codes = [factor.next_code(), *factor.recovery_codes] * 5

    found = await statuses([answer_certainly(api, mfa_token, code) for code in codes[:50]])

    assert found == {200: 1, 401: 49}


async def test_no_more_than_five_codes_are_tried_when_fifty_come_at_once(
    unthrottled_api: Api, clock: FixedClock
) -> None:
    api = unthrottled_api
    factor = await enable(api, await api.a_person(), clock)
    mfa_token, wrong = await challenge(api, factor.person), factor.wrong_code()

    answers = await asyncio.gather(*(answer_certainly(api, mfa_token, wrong) for _ in range(50)))

    codes = [answer.json()["code"] for answer in answers]
    assert (codes.count("invalid_code"), codes.count("invalid_mfa_token")) == (5, 45)


async def test_is_turned_on_and_off_once_when_many_want_to_at_once(unthrottled_api: Api, clock: FixedClock) -> None:
    api = unthrottled_api
    factor = await begin(api, await api.a_person(), clock)

    on = await statuses([certainly(lambda: confirm(api, factor)) for _ in range(10)])
    code = factor.next_code()
    off = await statuses([certainly(lambda: disable(api, factor, code)) for _ in range(10)])

    assert (on, off) == ({200: 1, 401: 9}, {204: 1, 409: 9})

"""Whether an address has an account can't be seen: not in an answer, not in the work, not in the time (ASVS 5.0 6.3.8).

Sign-up is `verified` here, as it is in production by default.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
import sqlalchemy as sa

from adapters.security.argon2 import Argon2PasswordHasher
from adapters.sql.engines import Engines
from adapters.sql.lane import Lane, Result
from adapters.sql.plans import Parameters
from application.auth.ports import PasswordCheck, PasswordHasher
from application.auth.registration import CreateUser
from application.outbox import LetterTemplate
from domain.auth.password import Password
from entrypoints.settings import Settings
from tests.api import Api, Person, pointers, problem, serve
from tests.builders import PASSWORD, an_admin, an_email
from tests.containers import Given, Override, container_for, settings_for
from tests.mailbox import Mailbox
from tests.units import use

VERIFY, RESET = LetterTemplate.VERIFY_EMAIL, LetterTemplate.RESET_PASSWORD
ALREADY_REGISTERED = LetterTemplate.ALREADY_REGISTERED
ANOTHER_PASSWORD = "another good long password"


class CountingHasher(PasswordHasher):
    """Hashes cheaply, and counts."""

    def __init__(self, *, memory_kib: int = 8) -> None:
        self._hasher = Argon2PasswordHasher(threads=1, memory_kib=memory_kib, time_cost=1)
        self.work: list[str] = []

    async def hash(self, password: Password) -> str:
        self.work.append("hash")
        return await self._hasher.hash(password)

    async def check(self, password: Password, password_hash: str | None) -> PasswordCheck:
        self.work.append("check")
        return await self._hasher.check(password, password_hash)

    def close(self) -> None:
        self._hasher.close()


@pytest.fixture
def hasher() -> Iterator[CountingHasher]:
    hasher = CountingHasher()
    yield hasher
    hasher.close()


@pytest.fixture
def verified(storage: Settings) -> Settings:
    """Provide the settings of an installation with `verified` sign-up, on each storage."""
    return settings_for(storage.database_url, SIGNUP="verified")


@pytest.fixture
def unthrottled(storage: Settings) -> Settings:
    """Provide the same without throttling."""
    return settings_for(storage.database_url, SIGNUP="verified", THROTTLE="off")


@pytest.fixture
def mailbox(verified: Settings, engines_of: Callable[[str], Engines]) -> Mailbox:
    return Mailbox(verified, engines_of)


@pytest.fixture
async def api(
    verified: Settings, overrides: tuple[Override, ...], mailbox: Mailbox, hasher: CountingHasher
) -> AsyncIterator[Api]:
    async with serve(verified, *overrides, mailbox, Given({PasswordHasher: hasher})) as api:
        yield api


async def sign_up(api: Api, email: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post("/users", json={"email": email, "password": password})


async def forget(api: Api, email: str) -> httpx.Response:
    return await api.post("/auth/password/forgot", json={"email": email})


async def confirm(api: Api, token: str, **more: str) -> httpx.Response:
    return await api.post("/auth/email/verify", json={"token": token} | more)


async def a_confirmed_account(api: Api, mailbox: Mailbox) -> str:
    email = an_email()
    await sign_up(api, email)
    assert (await confirm(api, (await mailbox.last(email, VERIFY)).token)).status_code == 204
    return email


def seen(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """Return all that an answer tells, but for the id of its request, which is random."""
    request_id = answer.headers["x-request-id"]
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, answer.content.replace(request_id.encode(), b""), headers


# --- signing up


async def test_a_verified_sign_up_can_be_signed_in_to_once_the_address_is_proved(api: Api, mailbox: Mailbox) -> None:
    email = an_email()

    answer = await sign_up(api, email)
    before = await api.login(email)
    token = (await mailbox.last(email, VERIFY)).token
    confirmed = await confirm(api, token, password=PASSWORD)
    after = await api.login(email)

    assert (answer.status_code, answer.content) == (202, b"")
    problem(before, 401, "invalid_credentials")
    assert confirmed.status_code == 204
    assert after.status_code == 200
    assert (await mailbox.letters(email))[0].data["link"].startswith("http://127.0.0.1:8000/account/verify#token=")


async def test_a_sign_up_tells_nobody_whether_there_is_an_account(
    api: Api, mailbox: Mailbox, hasher: CountingHasher
) -> None:
    known = await a_confirmed_account(api, mailbox)
    await sign_up(api, unproved := an_email())
    await sign_up(api, deactivated := an_email())
    await mailbox.deactivate(deactivated)
    answers, work = [], []

    for email in (an_email(), known, known.upper(), unproved, deactivated):
        hasher.work.clear()
        answers.append(seen(await sign_up(api, email, ANOTHER_PASSWORD)))
        work.append(tuple(hasher.work))

    assert len({str(answer) for answer in answers}) == 1
    assert answers[0][:2] == (202, b"")
    assert set(work) == {("hash",)}
    for email in (known, unproved, deactivated):
        letter = await mailbox.last(email, ALREADY_REGISTERED)
        assert letter.data == {"link": "http://127.0.0.1:8000/account/reset"}


async def test_a_sign_up_is_refused_alike_whether_or_not_there_is_an_account(api: Api, mailbox: Mailbox) -> None:
    known = await a_confirmed_account(api, mailbox)

    for email in (known, an_email()):
        assert pointers(await sign_up(api, email, "too short")) == ["/password"]
    throttled = [[(await sign_up(api, email)).status_code for _ in range(4)] for email in (known, an_email())]
    # The account's own sign-up was the first of its letters.
    assert throttled == [[202, 202, 429, 429], [202, 202, 202, 429]]


async def test_a_sign_up_changes_nothing_about_an_account_that_is_there(api: Api, mailbox: Mailbox) -> None:
    """Neither who came first nor who comes later gets in with an address that is not theirs."""
    email = an_email()
    await sign_up(api, email, PASSWORD)
    owners = (await mailbox.last(email, VERIFY)).token

    await sign_up(api, email, ANOTHER_PASSWORD)

    problem(await confirm(api, owners, password=ANOTHER_PASSWORD), 403, "wrong_password")
    assert (await confirm(api, owners, password=PASSWORD)).status_code == 204
    assert (await api.login(email, ANOTHER_PASSWORD)).status_code == 401
    assert (await api.login(email, PASSWORD)).status_code == 200


async def test_who_owns_the_mailbox_takes_over_what_somebody_else_signed_up(api: Api, mailbox: Mailbox) -> None:
    email = an_email()
    await sign_up(api, email, "the password of a stranger")
    strangers = (await mailbox.last(email, VERIFY)).token
    await sign_up(api, email, PASSWORD)
    assert (await mailbox.last(email, ALREADY_REGISTERED)).data["link"].endswith("/account/reset")

    await forget(api, email)
    token = (await mailbox.last(email, RESET)).token
    answer = await api.post("/auth/password/reset", json={"token": token, "new_password": PASSWORD})

    assert answer.status_code == 204
    assert (await api.login(email, "the password of a stranger")).status_code == 401
    assert (await api.login(email, PASSWORD)).status_code == 200
    assert (await confirm(api, strangers)).status_code == 422


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_fifty_sign_ups_of_one_address_at_once_make_one_account(
    unthrottled: Settings, overrides: tuple[Override, ...], mailbox: Mailbox
) -> None:
    spellings = [
        "ann@münchen.example",
        "ANN@MÜNCHEN.example",
        "ann@mu\u0308nchen.example",
        " Ann@xn--mnchen-3ya.example",
    ]
    passwords = [f"a good long password, number {number}" for number in range(50)]
    async with serve(unthrottled, *overrides, mailbox) as api:
        answers = await asyncio.gather(
            *(sign_up(api, spellings[number % 4], password) for number, password in enumerate(passwords))
        )
        letters = await mailbox.letters("ann@xn--mnchen-3ya.example")
        verifying = [letter.token for letter in letters if letter.template is VERIFY]
        assert (await confirm(api, *verifying)).status_code == 204
        works = [(await api.login(spellings[0], password)).status_code for password in passwords]

    assert len({str(seen(answer)) for answer in answers}) == 1
    assert answers[0].status_code == 202
    assert sorted(works) == [200] + [401] * 49


async def test_accounts_that_an_administrator_makes_can_be_signed_in_to(
    verified: Settings, overrides: tuple[Override, ...], mailbox: Mailbox
) -> None:
    container = container_for(verified, *overrides, mailbox)
    made = await use(container, CreateUser)(an_admin(), email=an_email(), password=PASSWORD)
    await container.close()

    async with serve(verified, *overrides, mailbox) as api:
        assert (await api.login(made.email)).status_code == 200


# --- signing in, forgetting


async def test_a_login_tells_nobody_whether_there_is_an_account(
    api: Api, mailbox: Mailbox, hasher: CountingHasher
) -> None:
    known = await a_confirmed_account(api, mailbox)
    deactivated = await a_confirmed_account(api, mailbox)
    await mailbox.deactivate(deactivated)
    await sign_up(api, unproved := an_email())
    tries = [
        (an_email(), PASSWORD),
        ("nonsense", PASSWORD),
        (known, ANOTHER_PASSWORD),
        (deactivated, PASSWORD),
        (deactivated, ANOTHER_PASSWORD),
        (unproved, PASSWORD),
        (unproved, ANOTHER_PASSWORD),
    ]
    answers, work = [], []

    for email, password in tries:
        hasher.work.clear()
        answers.append(seen(await api.login(email, password)))
        work.append(tuple(hasher.work))

    assert len({str(answer) for answer in answers}) == 1
    assert answers[0][0] == 401
    assert set(work) == {("check",)}


async def test_forgetting_tells_nobody_whether_there_is_an_account(
    api: Api, mailbox: Mailbox, hasher: CountingHasher
) -> None:
    known = await a_confirmed_account(api, mailbox)
    deactivated = await a_confirmed_account(api, mailbox)
    await mailbox.deactivate(deactivated)
    await sign_up(api, unproved := an_email())
    hasher.work.clear()

    answers = [seen(await forget(api, email)) for email in (an_email(), known, deactivated, unproved)]

    assert len({str(answer) for answer in answers}) == 1
    assert answers[0][:2] == (202, b"")
    assert hasher.work == []
    assert (await mailbox.last(known, RESET)).recipient == known
    assert (await mailbox.last(unproved, RESET)).recipient == unproved
    assert (await mailbox.letters(deactivated))[-1].template is VERIFY


async def test_sending_the_proof_again_looks_the_same_whether_or_not_it_is_needed(api: Api, mailbox: Mailbox) -> None:
    proved = await a_confirmed_account(api, mailbox)
    person = Person(id="", email=proved, tokens=(await api.login(proved)).json())

    answer = await api.post("/auth/email/verification", person)

    assert seen(answer)[:2] == (202, b"")


# --- the work for the database, and the time


@contextmanager
def statements() -> Iterator[list[sa.Executable]]:
    """Count what the database is asked."""
    asked: list[sa.Executable] = []
    run = Lane.run

    async def note(lane: Lane, statement: sa.Executable, parameters: Parameters) -> Result:
        asked.append(statement)
        return await run(lane, statement, parameters)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Lane, "run", note)
        yield asked


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_the_database_has_the_same_work_but_for_a_row_or_two(api: Api, mailbox: Mailbox) -> None:
    known = await a_confirmed_account(api, mailbox)
    work: dict[str, list[int]] = {}

    for name, act in (("sign up", sign_up), ("forget", forget)):
        for email in (known, an_email()):
            with statements() as asked:
                assert (await act(api, email)).status_code == 202
            work.setdefault(name, []).append(len(asked))

    for name, (with_account, without) in work.items():
        assert abs(with_account - without) <= 1, name


SAMPLES = 40
GAP_MAX = 0.004
"""Seconds."""


@pytest.mark.long
@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
async def test_nobody_can_tell_from_the_time(
    unthrottled: Settings, overrides: tuple[Override, ...], mailbox: Mailbox
) -> None:
    """A hash takes some 10 ms here: that only one side did one would stand out.

    Compared are the quickest tenths of interleaved calls, those that a busy machine disturbed least.
    """
    hasher = CountingHasher(memory_kib=8192)
    async with serve(unthrottled, *overrides, mailbox, Given({PasswordHasher: hasher})) as api:
        known = await a_confirmed_account(api, mailbox)
        acts: dict[str, Callable[[str], Awaitable[httpx.Response]]] = {
            "login": lambda email: api.login(email, ANOTHER_PASSWORD),
            "sign up": lambda email: sign_up(api, email),
            "forget": lambda email: forget(api, email),
        }
        gaps = {}
        for name, act in acts.items():
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(SAMPLES):
                for side, email in enumerate((known, an_email())):
                    started = time.perf_counter()
                    await act(email)
                    times[side].append(time.perf_counter() - started)
            known_tenth, unknown_tenth = (statistics.quantiles(side, n=10)[0] for side in times)
            gaps[name] = abs(known_tenth - unknown_tenth)
    hasher.close()

    assert all(gap < GAP_MAX for gap in gaps.values()), gaps


async def test_a_hash_of_an_absurd_cost_is_refused_and_not_computed(api: Api, mailbox: Mailbox) -> None:
    """ory/kratos: an imported hash that asks for 4 GiB is an attack on the server's memory."""
    email = await a_confirmed_account(api, mailbox)
    await mailbox.import_hash(
        email, "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b3dWRWJTmaaOH10tIkJl1Ut1Mk"
    )

    async with asyncio.timeout(2):
        problem(await api.login(email), 401, "invalid_credentials")


async def test_an_imported_hash_of_lower_cost_is_raised_at_login(api: Api, mailbox: Mailbox) -> None:
    email = await a_confirmed_account(api, mailbox)
    weaker = Argon2PasswordHasher(threads=1, memory_kib=8, time_cost=2)
    imported = await weaker.hash(Password(PASSWORD))
    weaker.close()
    await mailbox.import_hash(email, imported)

    assert (await api.login(email)).status_code == 200

    stored = await mailbox.stored_hash(email)
    assert stored != imported
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert (await api.login(email)).status_code == 200

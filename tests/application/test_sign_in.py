"""Signing in with a password."""

import unicodedata

import pytest
from dishka import AsyncContainer

from adapters.memory.store import MemoryStore
from adapters.memory.users import USERS
from adapters.security.argon2 import Argon2PasswordHasher
from application.audit import AuditFilter, AuditQueries
from application.auth.ports import CredentialQueries
from application.auth.registration import SignUp
from application.auth.sign_in import SignIn
from application.auth.signing_ports import AccessTokens
from application.auth.views import Tokens
from domain.access import Client
from domain.audit import AuditAction
from domain.auth.errors import InvalidCredentials
from domain.auth.password import Password
from domain.errors import Unavailable
from domain.users.user import User
from tests.application.conftest import CountingHasher, People
from tests.builders import PASSWORD
from tests.clock import NOW
from tests.units import a_unit, use

HERE = Client(ip="192.0.2.1", user_agent="curl")


async def test_opens_a_session_for_whoever_knows_the_password(container: AsyncContainer, people: People) -> None:
    user = await people.an_account()

    tokens = await use(container, SignIn)(email=f" {user.email.upper()}", password=PASSWORD, client=HERE)

    assert isinstance(tokens, Tokens)
    access_tokens: AccessTokens = await container.get(AccessTokens)
    claims = await access_tokens.read(tokens.access_token)
    async with a_unit(container) as unit:
        session = await unit.sessions.find(tokens.session_id)
    assert session is not None
    assert (claims.user_id, claims.session_id) == (user.id, session.id)
    assert (session.user_id, session.counter, session.created_at) == (user.id, 1, NOW)
    assert (session.ip, session.user_agent) == ("192.0.2.1", "curl")


async def test_tells_how_long_the_tokens_are_good_for(people: People) -> None:
    tokens = await people.sign_in(await people.an_account())

    assert tokens.token_type == "Bearer"
    assert tokens.expires_in == 10 * 60
    assert tokens.refresh_expires_in == 14 * 24 * 60 * 60


@pytest.mark.parametrize("variables", [{"SESSION_MAX_DAYS": "1", "ACCESS_TOKEN_MINUTES": "60"}])
async def test_no_token_outlives_the_session(people: People) -> None:
    tokens = await people.sign_in(await people.an_account())

    assert tokens.refresh_expires_in == 24 * 60 * 60


async def test_opens_a_session_of_its_own_each_time(people: People) -> None:
    user = await people.an_account()

    first, second = await people.sign_in(user), await people.sign_in(user)

    assert first.session_id != second.session_id
    assert first.refresh_token != second.refresh_token


async def test_costs_the_same_work_and_gets_the_same_answer_whatever_is_wrong(
    container: AsyncContainer, people: People, hasher: CountingHasher
) -> None:
    right, inactive = await people.an_account(), await people.an_account()
    await people.deactivate(inactive)
    sign_in = use(container, SignIn)
    answers, work = set(), []

    for email, password in [
        (right.email, "not the password at all"),
        (right.email, ""),
        (right.email, "x" * 1_000_000),
        (right.email, "\ud800"),
        ("nobody@example.org", PASSWORD),
        ("malformed", PASSWORD),
        ("", PASSWORD),
        ("\0@\ud800", PASSWORD),
        ("x" * 1_000_000, PASSWORD),
        (inactive.email, PASSWORD),
        (inactive.email, "not the password at all"),
    ]:
        hasher.checks = hasher.hashes = 0
        with pytest.raises(InvalidCredentials) as refused:
            await sign_in(email=email, password=password, client=HERE)
        answers.add(str(refused.value))
        work.append((hasher.checks, hasher.hashes))

    assert len(answers) == 1
    assert set(work) == {(1, 0)}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_takes_the_longest_password_from_any_keyboard(container: AsyncContainer, form: str) -> None:
    password = "".join(chr(0xAC00 + 29 * number) for number in range(128))
    await use(container, SignUp)(email="ada@example.org", password=password, client=HERE)
    typed = unicodedata.normalize(form, password)  # type: ignore[arg-type]

    await use(container, SignIn)(email="ada@example.org", password=typed, client=HERE)


async def test_never_takes_a_longer_password_for_the_right_one(container: AsyncContainer) -> None:
    password = "".join(chr(0x4E00 + 29 * number) for number in range(128))
    await use(container, SignUp)(email="ada@example.org", password=password, client=HERE)

    for longer in (password + "x", password + " ", password * 4, password * 5):
        with pytest.raises(InvalidCredentials):
            await use(container, SignIn)(email="ada@example.org", password=longer, client=HERE)


async def test_opens_no_session_if_the_password_changed_while_it_was_checked(
    container: AsyncContainer, people: People, hasher: CountingHasher
) -> None:
    user = await people.an_account()
    new_hash = await hasher.hash(Password("another password, set meanwhile"))

    def change_password(account: User) -> None:
        account.password_hash = new_hash

    hasher.meanwhile = lambda: people.change(user, change_password)

    with pytest.raises(InvalidCredentials):
        await use(container, SignIn)(email=user.email, password=PASSWORD, client=HERE)


async def test_opens_no_session_if_the_account_was_deactivated_while_the_password_was_checked(
    container: AsyncContainer, people: People, hasher: CountingHasher
) -> None:
    user = await people.an_account()
    hasher.meanwhile = lambda: people.deactivate(user)

    with pytest.raises(InvalidCredentials):
        await use(container, SignIn)(email=user.email, password=PASSWORD, client=HERE)


async def test_opens_no_session_if_the_account_was_erased_while_the_password_was_checked(
    container: AsyncContainer, people: People, hasher: CountingHasher
) -> None:
    user = await people.an_account()
    store = await container.get(MemoryStore)

    async def erase() -> None:
        del store.tables[USERS][user.id]

    hasher.meanwhile = erase

    with pytest.raises(InvalidCredentials):
        await use(container, SignIn)(email=user.email, password=PASSWORD, client=HERE)


async def test_records_a_login_that_failed_though_its_answer_is_an_error(
    container: AsyncContainer, people: People
) -> None:
    user = await people.an_account()
    for email, password in ((user.email, "not the password at all"), ("nobody@example.org", PASSWORD)):
        with pytest.raises(InvalidCredentials):
            await use(container, SignIn)(email=email, password=password, client=HERE)

    audit = await container.get(AuditQueries)
    unknown, known = (await audit.page(AuditFilter(action=AuditAction.LOGIN_FAILED), limit=10, after=None)).data
    assert (known.actor_id, known.subject_id, known.ip) == (None, user.id, "192.0.2.1")
    assert (unknown.actor_id, unknown.subject_id, unknown.ip) == (None, None, "192.0.2.1")


async def test_opens_a_session_though_the_account_was_renamed_while_the_password_was_checked(
    people: People, hasher: CountingHasher
) -> None:
    user = await people.an_account()
    hasher.meanwhile = lambda: people.change(user, lambda account: account.rename(None, now=NOW))

    await people.sign_in(user)


async def test_no_unit_is_open_while_the_password_is_checked(
    container: AsyncContainer, people: People, hasher: CountingHasher
) -> None:
    user = await people.an_account()

    async def another_unit() -> None:
        async with a_unit(container) as unit:
            await unit.users.get(user.id)

    hasher.meanwhile = another_unit

    await people.sign_in(user)


async def test_stores_a_costlier_hash_once_hashing_costs_more(
    container: AsyncContainer, people: People, hasher: CountingHasher
) -> None:
    user = await people.an_account()
    cheap = Argon2PasswordHasher(threads=1, memory_kib=9, time_cost=1)
    old_hash = await cheap.hash(Password(PASSWORD))
    cheap.close()
    await people.change(user, lambda account: account.rehash_password(old_hash, now=NOW))
    hasher.hashes = 0

    await people.sign_in(user)
    await people.sign_in(user)

    credentials: CredentialQueries = await container.get(CredentialQueries)
    credential = await credentials.find(user.email)
    assert credential is not None
    assert credential.password_hash != old_hash
    assert hasher.hashes == 1


async def test_says_when_too_many_are_signing_in(
    container: AsyncContainer, people: People, hasher: CountingHasher
) -> None:
    user = await people.an_account()

    async def too_many() -> None:
        raise Unavailable

    hasher.meanwhile = too_many

    with pytest.raises(Unavailable):
        await use(container, SignIn)(email=user.email, password=PASSWORD, client=HERE)

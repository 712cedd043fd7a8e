"""`OneTimeTokenRepository` and `OneTimeTokenQueries`."""

import asyncio
from datetime import datetime, timedelta

import pytest
from dishka import AsyncContainer

from application.auth.ports import OneTimeTokenQueries, OneTimeTokenRepository
from application.ports import UnitOfWork
from domain.auth.one_time_token import LIFETIMES, OneTimeToken, TokenPurpose, digest_of, show_secret
from domain.users.user import User
from tests.builders import a_user, an_id
from tests.clock import NOW
from tests.units import store

RESET, VERIFY, CHANGE = TokenPurpose.RESET_PASSWORD, TokenPurpose.VERIFY_EMAIL, TokenPurpose.CHANGE_EMAIL
SOON = NOW + timedelta(minutes=1)


@pytest.fixture
async def owner(container: AsyncContainer) -> User:
    owner = a_user()
    await store(container, owner)
    return owner


def a_token(owner: User, text: str = "a secret", *, purpose: TokenPurpose = RESET, now: datetime = NOW) -> OneTimeToken:
    return OneTimeToken.issue(an_id(), secret=text, purpose=purpose, user_id=owner.id, email=owner.email, now=now)


async def issue(container: AsyncContainer, *tokens: OneTimeToken) -> list[bool]:
    issued = []
    for token in tokens:
        async with container() as scope:
            repository, unit = await scope.get(OneTimeTokenRepository), await scope.get(UnitOfWork)
            issued.append(await repository.issue(token))
            await unit.commit()
    return issued


async def consume(
    container: AsyncContainer, text: str = "a secret", purpose: TokenPurpose = RESET, *, now: datetime = SOON
) -> OneTimeToken | None:
    async with container() as scope:
        repository, unit = await scope.get(OneTimeTokenRepository), await scope.get(UnitOfWork)
        token: OneTimeToken | None = await repository.consume(digest_of(text), purpose, now=now)
        await unit.commit()
        return token


async def find(container: AsyncContainer, text: str = "a secret") -> OneTimeToken | None:
    queries: OneTimeTokenQueries = await container.get(OneTimeTokenQueries)
    return await queries.find(digest_of(text))


@pytest.mark.parametrize("purpose", TokenPurpose)
async def test_gives_back_what_was_issued(container: AsyncContainer, owner: User, purpose: TokenPurpose) -> None:
    token = a_token(owner, purpose=purpose)

    assert await issue(container, token) == [True]

    found = await find(container)
    assert found == token
    assert found.purpose is purpose
    assert found.expires_at == NOW + LIFETIMES[purpose]


async def test_finds_no_token_that_was_never_issued(container: AsyncContainer) -> None:
    assert await find(container) is None
    assert await consume(container) is None


async def test_finds_no_token_that_is_not_committed(container: AsyncContainer, owner: User) -> None:
    async with container() as scope:
        repository = await scope.get(OneTimeTokenRepository)
        await repository.issue(a_token(owner))

        assert await find(container) is None


async def test_issues_nothing_for_an_account_that_is_not_there(container: AsyncContainer) -> None:
    assert await issue(container, a_token(a_user())) == [False]
    assert await find(container) is None


async def test_a_new_token_kills_the_account_s_others_of_its_purpose_and_no_more(
    container: AsyncContainer, owner: User
) -> None:
    other = a_user()
    await store(container, other)

    await issue(
        container,
        a_token(owner, "first"),
        a_token(owner, "of another purpose", purpose=VERIFY),
        a_token(other, "somebody else's"),
        a_token(owner, "second", now=SOON),
    )

    first = await find(container, "first")
    assert first is not None
    assert first.consumed_at == SOON
    assert await consume(container, "first") is None
    assert await consume(container, "second") is not None
    assert await consume(container, "of another purpose", VERIFY) is not None
    assert await consume(container, "somebody else's") is not None


async def test_leaves_one_live_token_when_many_are_issued_at_once(container: AsyncContainer, owner: User) -> None:
    await asyncio.gather(*(issue(container, a_token(owner, f"secret {number}")) for number in range(10)))

    used = [await consume(container, f"secret {number}") for number in range(10)]
    assert sum(token is not None for token in used) == 1


async def test_is_used_up_by_its_first_use(container: AsyncContainer, owner: User) -> None:
    token = a_token(owner)
    await issue(container, token)

    used = await consume(container)

    assert used is not None
    assert (used.id, used.user_id, used.email, used.consumed_at) == (token.id, owner.id, owner.email, SOON)
    assert await consume(container) is None
    assert await find(container) == used


async def test_is_used_once_when_fifty_want_to_at_once(container: AsyncContainer, owner: User) -> None:
    await issue(container, a_token(owner))

    used = await asyncio.gather(*(consume(container) for _ in range(50)))

    assert sum(token is not None for token in used) == 1


@pytest.mark.parametrize("purpose", [VERIFY, CHANGE])
async def test_is_good_for_nothing_else(container: AsyncContainer, owner: User, purpose: TokenPurpose) -> None:
    await issue(container, a_token(owner))

    assert await consume(container, purpose=purpose) is None
    assert await consume(container) is not None


async def test_is_good_until_the_very_end(container: AsyncContainer, owner: User) -> None:
    other = a_user()
    await store(container, other)
    await issue(container, a_token(owner, "in time"), a_token(other, "too late"))
    end = NOW + LIFETIMES[RESET]

    assert await consume(container, "in time", now=end - timedelta(microseconds=1)) is not None
    assert await consume(container, "too late", now=end) is None


async def test_use_without_a_commit_uses_nothing_up(container: AsyncContainer, owner: User) -> None:
    await issue(container, a_token(owner))

    async with container() as scope:
        repository = await scope.get(OneTimeTokenRepository)
        await repository.consume(digest_of("a secret"), RESET, now=SOON)

    assert await consume(container) is not None


async def test_all_of_an_account_are_revoked_and_nobody_else_s(container: AsyncContainer, owner: User) -> None:
    other = a_user()
    await store(container, other)
    await issue(container, *(a_token(owner, purpose, purpose=purpose) for purpose in TokenPurpose), a_token(other))

    async with container() as scope:
        repository, unit = await scope.get(OneTimeTokenRepository), await scope.get(UnitOfWork)
        await repository.revoke_all(owner.id, now=SOON)
        await unit.commit()

    assert [await consume(container, purpose, purpose) for purpose in TokenPurpose] == [None, None, None]
    assert await consume(container) is not None


async def test_the_digest_is_all_that_is_kept_of_a_secret() -> None:
    token = a_token(a_user(), "a secret")

    assert token.digest == digest_of("a secret")
    assert len(token.digest) == 32
    assert "a secret" not in repr(token)
    assert digest_of("\ud800") != digest_of("a secret")
    assert show_secret(b"\xff\xfe\xfd") == "__79"


def test_is_live_until_it_is_used_or_expires() -> None:
    token = a_token(a_user())

    assert token.is_live(NOW)
    assert not token.is_live(NOW + LIFETIMES[RESET])

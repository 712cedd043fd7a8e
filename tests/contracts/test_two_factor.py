"""`TwoFactorRepository`, `MfaChallengeRepository` and `MfaChallengeQueries`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from dishka import AsyncContainer

from application.auth.ports import CredentialQueries
from application.auth.two_factor_ports import (
    AwaitedCode,
    MfaChallengeQueries,
    MfaChallengeRepository,
    TwoFactorRepository,
)
from application.ports import UnitOfWork
from application.users.ports import UserRepository
from domain.auth.two_factor import MfaChallenge, RecoveryCode, TotpFactor, make_recovery_code
from domain.ids import MfaChallengeId, UserId
from domain.users.errors import UserNotFound
from domain.users.user import User
from tests.builders import a_user, an_id
from tests.clock import NOW
from tests.units import store

SOON = NOW + timedelta(minutes=1)
LATER = NOW + timedelta(minutes=5)
STEP = 59_000_000


@dataclass(frozen=True, slots=True)
class Unit:
    work: UnitOfWork
    users: UserRepository
    factors: TwoFactorRepository
    challenges: MfaChallengeRepository


@asynccontextmanager
async def a_unit(container: AsyncContainer) -> AsyncGenerator[Unit]:
    async with container() as scope:
        yield Unit(
            await scope.get(UnitOfWork),
            await scope.get(UserRepository),
            await scope.get(TwoFactorRepository),
            await scope.get(MfaChallengeRepository),
        )


@pytest.fixture
async def owner(container: AsyncContainer) -> User:
    owner = a_user()
    await store(container, owner)
    return owner


def a_factor(owner: User, *, seed: bytes = b"\x00sealed\xff") -> TotpFactor:
    return TotpFactor(user_id=owner.id, sealed_seed=seed, created_at=NOW)


async def find(container: AsyncContainer, owner: User) -> TotpFactor | None:
    async with a_unit(container) as unit:
        return await unit.factors.find(owner.id)


async def begin(container: AsyncContainer, factor: TotpFactor) -> bool:
    async with a_unit(container) as unit:
        begun = await unit.factors.begin(factor)
        await unit.work.commit()
        return begun


async def accept(container: AsyncContainer, factor: TotpFactor, step: int, *, now: datetime = SOON) -> bool:
    async with a_unit(container) as unit:
        accepted = await unit.factors.accept(factor, step, now=now)
        await unit.work.commit()
        return accepted


async def replace_codes(container: AsyncContainer, owner: User, *codes: RecoveryCode) -> None:
    async with a_unit(container) as unit:
        await unit.factors.replace_recovery_codes(owner.id, list(codes))
        await unit.work.commit()


async def use_code(container: AsyncContainer, owner: User, code: RecoveryCode) -> bool:
    async with a_unit(container) as unit:
        used = await unit.factors.use_recovery_code(owner.id, code, now=SOON)
        await unit.work.commit()
        return used


# --- begin, find


async def test_begins_with_a_pending_factor(container: AsyncContainer, owner: User) -> None:
    factor = a_factor(owner)

    assert await find(container, owner) is None
    assert await begin(container, factor)
    assert await find(container, owner) == factor


async def test_a_later_pending_factor_takes_the_place_of_an_earlier_one(container: AsyncContainer, owner: User) -> None:
    later = replace(a_factor(owner, seed=b"later"), created_at=SOON)
    await begin(container, a_factor(owner))

    assert await begin(container, later)
    assert await find(container, owner) == later


async def test_begins_nothing_where_a_factor_is_on(container: AsyncContainer, owner: User) -> None:
    factor = a_factor(owner)
    await begin(container, factor)
    await accept(container, factor, STEP)

    assert not await begin(container, a_factor(owner, seed=b"later"))
    found = await find(container, owner)
    assert found == replace(factor, confirmed_at=SOON, last_step=STEP)


async def test_begins_nothing_for_an_account_that_is_not_there(container: AsyncContainer) -> None:
    with pytest.raises(UserNotFound):
        await begin(container, a_factor(a_user()))


# --- accept


async def test_the_first_accepted_step_turns_the_factor_on(container: AsyncContainer, owner: User) -> None:
    factor = a_factor(owner)
    await begin(container, factor)

    assert await accept(container, factor, STEP, now=SOON)
    assert await accept(container, factor, STEP + 1, now=LATER)
    assert await find(container, owner) == replace(factor, confirmed_at=SOON, last_step=STEP + 1)


@pytest.mark.parametrize("step", [STEP, STEP - 1])
async def test_accepts_no_step_again_and_no_earlier_one(container: AsyncContainer, owner: User, step: int) -> None:
    factor = a_factor(owner)
    await begin(container, factor)
    await accept(container, factor, STEP)

    assert not await accept(container, factor, step)


async def test_accepts_nothing_of_a_factor_that_was_replaced(container: AsyncContainer, owner: User) -> None:
    found_before = a_factor(owner)
    await begin(container, found_before)
    await begin(container, a_factor(owner, seed=b"later"))

    assert not await accept(container, found_before, STEP)


async def test_accepts_nothing_of_a_factor_that_is_not_there(container: AsyncContainer, owner: User) -> None:
    assert not await accept(container, a_factor(owner), STEP)


async def test_accepts_a_step_once_when_many_want_to_at_once(container: AsyncContainer, owner: User) -> None:
    factor = a_factor(owner)
    await begin(container, factor)

    accepted = await asyncio.gather(*(accept(container, factor, STEP) for _ in range(20)))

    assert sum(accepted) == 1


# --- recovery codes


async def test_uses_each_code_once(container: AsyncContainer, owner: User) -> None:
    one, two = make_recovery_code(b"1" * 15), make_recovery_code(b"2" * 15)
    await replace_codes(container, owner, one, two)

    used = [await use_code(container, owner, code) for code in (one, one, two, two)]

    assert used == [True, False, True, False]


async def test_uses_no_code_of_somebody_else(container: AsyncContainer, owner: User) -> None:
    other, code = a_user(), make_recovery_code(b"1" * 15)
    await store(container, other)
    await replace_codes(container, owner, code)

    assert not await use_code(container, other, code)
    assert await use_code(container, owner, code)


async def test_replaced_codes_are_no_good(container: AsyncContainer, owner: User) -> None:
    used, old, new = (make_recovery_code(bytes([n]) * 15) for n in range(3))
    await replace_codes(container, owner, used, old)
    await use_code(container, owner, used)

    await replace_codes(container, owner, used, new)

    assert [await use_code(container, owner, code) for code in (used, old, new)] == [True, False, True]


async def test_stores_no_codes_for_an_account_that_is_not_there(container: AsyncContainer) -> None:
    with pytest.raises(UserNotFound):
        await replace_codes(container, a_user(), make_recovery_code(b"1" * 15))


async def test_uses_a_code_once_when_many_want_to_at_once(container: AsyncContainer, owner: User) -> None:
    code = make_recovery_code(b"1" * 15)
    await replace_codes(container, owner, code)

    used = await asyncio.gather(*(use_code(container, owner, code) for _ in range(20)))

    assert sum(used) == 1


async def test_removes_the_factor_with_its_codes_and_nobody_elses(container: AsyncContainer, owner: User) -> None:
    other, code = a_user(), make_recovery_code(b"1" * 15)
    await store(container, other)
    for user in (owner, other):
        await begin(container, a_factor(user))
        await replace_codes(container, user, code)

    async with a_unit(container) as unit:
        await unit.factors.remove(owner.id)
        await unit.work.commit()

    assert await find(container, owner) is None
    assert await find(container, other) is not None
    assert [await use_code(container, user, code) for user in (owner, other)] == [False, True]


async def test_removes_quietly_what_is_not_there(container: AsyncContainer, owner: User) -> None:
    async with a_unit(container) as unit:
        await unit.factors.remove(owner.id)
        await unit.work.commit()

    assert await find(container, owner) is None


# --- what signing in looks up


async def test_a_credential_tells_whether_a_factor_is_on(container: AsyncContainer, owner: User) -> None:
    credentials: CredentialQueries = await container.get(CredentialQueries)
    factor = a_factor(owner)

    seen = []
    for change in (None, begin(container, factor), accept(container, factor, STEP)):
        if change is not None:
            await change
        by_email, by_id = await credentials.find(owner.email), await credentials.of(owner.id)
        assert by_email == by_id
        assert by_id is not None
        seen.append(by_id.has_totp)

    assert seen == [False, False, True]


async def test_there_is_no_credential_of_an_account_that_is_not_there(container: AsyncContainer) -> None:
    credentials: CredentialQueries = await container.get(CredentialQueries)

    assert await credentials.of(UserId(an_id())) is None


# --- challenges


def a_challenge(owner: User, *, created_at: datetime = NOW, expires_at: datetime = LATER) -> MfaChallenge:
    challenge_id = MfaChallengeId(an_id())
    return MfaChallenge(
        id=challenge_id,
        user_id=owner.id,
        digest=challenge_id.bytes * 2,
        created_at=created_at,
        expires_at=expires_at,
    )


async def add(container: AsyncContainer, challenge: MfaChallenge) -> None:
    async with a_unit(container) as unit:
        await unit.challenges.add(challenge)
        await unit.work.commit()


async def attempt(
    container: AsyncContainer,
    challenge: MfaChallenge,
    *,
    digest: bytes | None = None,
    limit: int = 5,
    now: datetime = SOON,
) -> bool:
    async with a_unit(container) as unit:
        counted = await unit.challenges.attempt(challenge.id, digest or challenge.digest, limit=limit, now=now)
        await unit.work.commit()
        return counted


async def consume(container: AsyncContainer, challenge: MfaChallenge) -> None:
    async with a_unit(container) as unit:
        await unit.challenges.consume(challenge.id, now=SOON)
        await unit.work.commit()


async def test_finds_a_challenge_with_the_present_password_hash(container: AsyncContainer, owner: User) -> None:
    queries: MfaChallengeQueries = await container.get(MfaChallengeQueries)
    challenge = a_challenge(owner)
    await add(container, challenge)

    before = await queries.find(challenge.id)
    async with a_unit(container) as unit:
        user = await unit.users.get(owner.id)
        user.rehash_password("another", now=SOON)
        await unit.users.save(user)
        await unit.work.commit()
    after = await queries.find(challenge.id)

    assert before == AwaitedCode(owner.id, challenge.digest, owner.password_hash)
    assert after == AwaitedCode(owner.id, challenge.digest, "another")


async def test_finds_no_challenge_that_is_not_there(container: AsyncContainer) -> None:
    queries: MfaChallengeQueries = await container.get(MfaChallengeQueries)

    assert await queries.find(MfaChallengeId(an_id())) is None


async def test_adds_no_challenge_for_an_account_that_is_not_there(container: AsyncContainer) -> None:
    with pytest.raises(UserNotFound):
        await add(container, a_challenge(a_user()))


async def test_removes_the_accounts_expired_challenges(container: AsyncContainer, owner: User) -> None:
    other = a_user()
    await store(container, other)
    queries: MfaChallengeQueries = await container.get(MfaChallengeQueries)
    expired, live, others = a_challenge(owner), a_challenge(owner, expires_at=LATER + timedelta(1)), a_challenge(other)
    for challenge in (expired, live, others):
        await add(container, challenge)

    await add(container, a_challenge(owner, created_at=LATER, expires_at=LATER + timedelta(1)))

    assert [await queries.find(challenge.id) is not None for challenge in (expired, live, others)] == [
        False,
        True,
        True,
    ]


async def test_counts_attempts_up_to_the_limit(container: AsyncContainer, owner: User) -> None:
    challenge = a_challenge(owner)
    await add(container, challenge)

    counted = [await attempt(container, challenge, limit=3) for _ in range(5)]

    assert counted == [True, True, True, False, False]


async def test_counts_no_more_than_the_limit_when_many_try_at_once(container: AsyncContainer, owner: User) -> None:
    challenge = a_challenge(owner)
    await add(container, challenge)

    counted = await asyncio.gather(*(attempt(container, challenge) for _ in range(20)))

    assert sum(counted) == 5


async def test_counts_no_attempt_with_another_digest(container: AsyncContainer, owner: User) -> None:
    challenge = a_challenge(owner)
    await add(container, challenge)

    assert not await attempt(container, challenge, digest=b"another")
    assert await attempt(container, challenge, limit=1)


async def test_counts_no_attempt_at_what_is_not_there(container: AsyncContainer, owner: User) -> None:
    assert not await attempt(container, a_challenge(owner))


async def test_counts_attempts_until_the_very_end(container: AsyncContainer, owner: User) -> None:
    challenge = a_challenge(owner)
    await add(container, challenge)

    assert await attempt(container, challenge, now=LATER - timedelta(microseconds=1))
    assert not await attempt(container, challenge, now=LATER)


async def test_a_used_challenge_takes_no_attempt(container: AsyncContainer, owner: User) -> None:
    challenge, other = a_challenge(owner), a_challenge(owner)
    await add(container, challenge)
    await add(container, other)

    await consume(container, challenge)

    assert not await attempt(container, challenge)
    assert await attempt(container, other)


async def test_using_up_what_is_not_there_changes_nothing(container: AsyncContainer, owner: User) -> None:
    await consume(container, a_challenge(owner))

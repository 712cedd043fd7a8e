"""`ApiKeyRepository`, `ApiKeyQueries`, `ApiKeyStandings` and `ApiKeyUses`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from dishka import AsyncContainer

from application.auth.api_key_cache import ApiKeyStandingSource
from application.auth.api_key_ports import ApiKeyQueries, ApiKeyRepository, ApiKeyStanding, ApiKeyUses
from application.auth.views import ApiKeyView
from application.ports import UnitOfWork
from domain.access import Role, Scope
from domain.auth.api_key import ApiKey
from domain.auth.errors import ApiKeyNotFound
from domain.ids import ApiKeyId, UserId
from domain.users.errors import UserNotFound
from domain.users.user import User
from tests.builders import a_user, an_id
from tests.clock import NOW
from tests.units import store

SOON = NOW + timedelta(minutes=1)
A_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Unit:
    work: UnitOfWork
    keys: ApiKeyRepository


@asynccontextmanager
async def a_unit(container: AsyncContainer) -> AsyncGenerator[Unit]:
    async with container() as scope:
        yield Unit(await scope.get(UnitOfWork), await scope.get(ApiKeyRepository))


@pytest.fixture
async def owner(container: AsyncContainer) -> User:
    owner = a_user()
    await store(container, owner)
    return owner


def a_key(owner: User, *, created_at: datetime = NOW, scopes: tuple[Scope, ...] = (Scope.ITEMS_READ,)) -> ApiKey:
    key_id = ApiKeyId(an_id())
    return ApiKey(
        id=key_id,
        owner_id=owner.id,
        name="Nächtlicher Export",
        prefix="ptk_0352UOjhDfIKYSZo",
        digest=key_id.bytes * 2,
        scopes=scopes,
        created_at=created_at,
        expires_at=created_at + timedelta(days=30),
    )


def shown(key: ApiKey, *, last_used_at: datetime | None = None) -> ApiKeyView:
    return ApiKeyView(
        id=key.id,
        owner_id=key.owner_id,
        name=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=last_used_at,
    )


async def add(container: AsyncContainer, *keys: ApiKey) -> None:
    async with a_unit(container) as unit:
        for key in keys:
            await unit.keys.add(key)
        await unit.work.commit()


async def revoke(container: AsyncContainer, owner_id: UserId, key: ApiKey) -> None:
    async with a_unit(container) as unit:
        await unit.keys.revoke(owner_id, key.id, now=SOON)
        await unit.work.commit()


async def of(container: AsyncContainer, owner: User) -> list[ApiKeyView]:
    queries: ApiKeyQueries = await container.get(ApiKeyQueries)
    return await queries.of(owner.id)


async def standing_of(container: AsyncContainer, key: ApiKey) -> ApiKeyStanding | None:
    source: ApiKeyStandingSource = await container.get(ApiKeyStandingSource)
    return await source.find(key.digest)


# --- add, list


async def test_lists_an_owners_keys_the_oldest_first(container: AsyncContainer, owner: User) -> None:
    other = a_user()
    await store(container, other)
    newer, older = a_key(owner, created_at=SOON), a_key(owner, scopes=tuple(Scope))
    await add(container, newer, older, a_key(other))

    assert await of(container, owner) == [shown(older), shown(newer)]


async def test_lists_what_is_committed(container: AsyncContainer, owner: User) -> None:
    async with a_unit(container) as unit:
        await unit.keys.add(a_key(owner))

        assert await of(container, owner) == []


async def test_adds_no_key_of_an_account_that_is_not_there(container: AsyncContainer) -> None:
    with pytest.raises(UserNotFound):
        await add(container, a_key(a_user()))


async def test_pages_through_the_keys_of_all(container: AsyncContainer, owner: User) -> None:
    other = a_user()
    await store(container, other)
    keys = [a_key(user, created_at=NOW + timedelta(hours=n // 2)) for n in range(5) for user in [(owner, other)[n % 2]]]
    revoked = a_key(owner)
    await add(container, *keys, revoked)
    await revoke(container, owner.id, revoked)
    queries: ApiKeyQueries = await container.get(ApiKeyQueries)

    first = await queries.page(limit=3, after=None)
    second = await queries.page(limit=3, after=first.next)

    assert [view.id for view in (*first.data, *second.data)] == [key.id for key in keys]
    assert (len(first.data), second.next) == (3, None)


# --- count, revoke, owner_of


async def test_counts_an_owners_keys_as_the_unit_sees_them(container: AsyncContainer, owner: User) -> None:
    other = a_user()
    await store(container, other)
    revoked = a_key(owner)
    await add(container, revoked, a_key(owner), a_key(other))
    await revoke(container, owner.id, revoked)

    async with a_unit(container) as unit:
        before = await unit.keys.count(owner.id)
        await unit.keys.add(a_key(owner))
        after = await unit.keys.count(owner.id)

    assert (before, after) == (1, 2)


async def test_a_revoked_key_is_listed_no_more(container: AsyncContainer, owner: User) -> None:
    gone, stays = a_key(owner), a_key(owner)
    await add(container, gone, stays)

    await revoke(container, owner.id, gone)

    assert await of(container, owner) == [shown(stays)]


async def test_revokes_only_what_is_there_and_the_owners_and_only_once(container: AsyncContainer, owner: User) -> None:
    other = a_user()
    await store(container, other)
    key, revoked = a_key(owner), a_key(owner)
    await add(container, key, revoked)
    await revoke(container, owner.id, revoked)

    for owner_id, missing in ((other.id, key), (owner.id, revoked), (owner.id, a_key(owner))):
        with pytest.raises(ApiKeyNotFound):
            await revoke(container, owner_id, missing)

    assert await of(container, owner) == [shown(key)]


async def test_revokes_once_when_many_want_to_at_once(container: AsyncContainer, owner: User) -> None:
    key = a_key(owner)
    await add(container, key)

    outcomes = await asyncio.gather(*(revoke(container, owner.id, key) for _ in range(10)), return_exceptions=True)

    assert sum(outcome is None for outcome in outcomes) == 1


async def test_tells_whose_key_it_is(container: AsyncContainer, owner: User) -> None:
    key, revoked = a_key(owner), a_key(owner)
    await add(container, key, revoked)
    await revoke(container, owner.id, revoked)

    async with a_unit(container) as unit:
        assert await unit.keys.owner_of(key.id) == owner.id
        for missing in (revoked.id, ApiKeyId(an_id())):
            with pytest.raises(ApiKeyNotFound):
                await unit.keys.owner_of(missing)


# --- how keys stand


async def test_tells_how_a_key_stands(container: AsyncContainer) -> None:
    owner = a_user(role=Role.ADMIN, is_active=False)
    await store(container, owner)
    key = a_key(owner, scopes=(Scope.ITEMS_READ, Scope.AUDIT_READ))
    await add(container, key)

    before = await standing_of(container, key)
    await revoke(container, owner.id, key)
    after = await standing_of(container, key)

    assert before == ApiKeyStanding(
        key_id=key.id,
        owner_id=owner.id,
        role=Role.ADMIN,
        is_active=False,
        scopes=key.scopes,
        expires_at=key.expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    assert after is not None
    assert after.revoked_at == SOON


async def test_tells_nothing_of_a_key_that_is_not_there(container: AsyncContainer, owner: User) -> None:
    assert await standing_of(container, a_key(owner)) is None


# --- when keys were used


async def test_records_when_a_key_was_used(container: AsyncContainer, owner: User) -> None:
    key, other = a_key(owner), a_key(owner, created_at=SOON)
    await add(container, key, other)
    uses: ApiKeyUses = await container.get(ApiKeyUses)

    await uses.record(key.id, now=SOON, unless_since=NOW)

    standing = await standing_of(container, key)
    assert standing is not None
    assert standing.last_used_at == SOON
    assert await of(container, owner) == [shown(key, last_used_at=SOON), shown(other)]


@pytest.mark.parametrize(("since", "recorded"), [(SOON - A_MICROSECOND, False), (SOON, True)])
async def test_records_no_use_right_after_another(
    container: AsyncContainer, owner: User, since: datetime, recorded: bool
) -> None:
    key, later = a_key(owner), SOON + timedelta(minutes=1)
    await add(container, key)
    uses: ApiKeyUses = await container.get(ApiKeyUses)
    await uses.record(key.id, now=SOON, unless_since=NOW)

    await uses.record(key.id, now=later, unless_since=since)

    assert await of(container, owner) == [shown(key, last_used_at=later if recorded else SOON)]


async def test_records_quietly_the_use_of_what_is_not_there(container: AsyncContainer) -> None:
    uses: ApiKeyUses = await container.get(ApiKeyUses)

    await uses.record(ApiKeyId(an_id()), now=SOON, unless_since=NOW)

"""`UserRepository` and `UserQueries`, but for the pages."""

import asyncio

import pytest
from dishka import AsyncContainer

from application.users.ports import UserQueries
from application.users.views import view_of
from domain.access import Role
from domain.errors import Stale
from domain.ids import UserId
from domain.users.email import parse_email
from domain.users.errors import EmailTaken, UserNotFound
from domain.users.user import User, parse_full_name
from tests.builders import A_DAY_LATER, a_user, an_email, an_id
from tests.clock import NOW
from tests.units import a_unit, store


async def load(container: AsyncContainer, user_id: UserId) -> User:
    async with a_unit(container) as unit:
        return await unit.users.get(user_id)


# --- add


@pytest.mark.parametrize(
    "user",
    [
        pytest.param(a_user(full_name="Ada Lovelace", role=Role.ADMIN), id="all facts"),
        pytest.param(a_user(full_name=None, is_active=False), id="few facts"),
        pytest.param(a_user(full_name="𝒜 Ünïcode 名前 👩‍💻"), id="unicode"),
        pytest.param(a_user(created_at=NOW.replace(microsecond=0)), id="whole second"),
        pytest.param(a_user(email="x@" + ".".join(["a" * 61] * 4)), id="longest address"),
    ],
)
async def test_gives_back_what_was_added(container: AsyncContainer, user: User) -> None:
    await store(container, user)

    loaded = await load(container, user.id)

    assert loaded == user
    assert loaded.created_at.tzinfo is not None


async def test_refuses_the_address_of_another_account(container: AsyncContainer) -> None:
    present = a_user()
    await store(container, present)

    with pytest.raises(EmailTaken):
        await store(container, a_user(email=present.email))


async def test_refuses_the_address_of_another_account_of_the_same_unit(container: AsyncContainer) -> None:
    email = an_email()

    with pytest.raises(EmailTaken):
        await store(container, a_user(email=email), a_user(email=email))


async def test_adds_one_account_when_many_want_the_same_address_at_once(container: AsyncContainer) -> None:
    email = an_email()

    outcomes = await asyncio.gather(*(store(container, a_user(email=email)) for _ in range(20)), return_exceptions=True)

    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 19


# --- get


async def test_finds_no_account_that_is_not_there(container: AsyncContainer) -> None:
    with pytest.raises(UserNotFound):
        await load(container, UserId(an_id()))


async def test_changes_nothing_until_the_account_is_saved(container: AsyncContainer) -> None:
    user = a_user(full_name="Before")
    await store(container, user)

    async with a_unit(container) as unit:
        loaded = await unit.users.get(user.id)
        loaded.rename(parse_full_name("After"), now=A_DAY_LATER)
        await unit.commit()

    assert (await load(container, user.id)).full_name == "Before"


async def test_keeps_what_was_added_whatever_becomes_of_it_afterwards(container: AsyncContainer) -> None:
    user = a_user(full_name="Before")
    await store(container, user)

    user.rename(parse_full_name("After"), now=A_DAY_LATER)

    assert (await load(container, user.id)).full_name == "Before"


async def test_makes_others_wait_for_an_account_that_is_being_changed(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)

    async with a_unit(container) as unit:
        first = await unit.users.get(user.id)
        second = asyncio.create_task(load(container, user.id))
        await asyncio.sleep(0.1)
        waited = not second.done()
        first.rename(parse_full_name("First"), now=A_DAY_LATER)
        await unit.users.save(first)
        await unit.commit()

    assert waited
    assert (await second).full_name == "First"


async def test_loses_no_change_when_many_change_one_account_at_once(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)

    async def rename(number: int) -> None:
        async with a_unit(container) as unit:
            loaded = await unit.users.get(user.id)
            loaded.rename(parse_full_name(f"{loaded.full_name or ''}|{number}"), now=NOW)
            await unit.users.save(loaded)
            await unit.commit()

    await asyncio.gather(*(rename(number) for number in range(12)))

    changed = await load(container, user.id)
    assert changed.version == 13
    assert sorted((changed.full_name or "").split("|")[1:], key=int) == [str(number) for number in range(12)]


# --- save


async def test_stores_the_next_version(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)

    async with a_unit(container) as unit:
        loaded = await unit.users.get(user.id)
        loaded.rename(parse_full_name("Ada"), now=A_DAY_LATER)
        loaded.rehash_password("another hash", now=A_DAY_LATER)
        await unit.users.save(loaded)
        await unit.commit()

    assert await load(container, user.id) == loaded
    assert loaded.version == 2


async def test_stores_every_field_but_the_birthday(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)
    changed = a_user(id=user.id, full_name="New", password_hash="new", role=Role.ADMIN, is_active=False)
    changed.email_verified = True
    changed.rename(changed.full_name, now=A_DAY_LATER)

    async with a_unit(container) as unit:
        await unit.users.save(changed)
        await unit.commit()

    assert await load(container, user.id) == changed


async def test_refuses_to_save_over_a_change_of_somebody_else(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)
    first, second = await load(container, user.id), await load(container, user.id)
    first.rename(parse_full_name("First"), now=NOW)
    second.rename(parse_full_name("Second"), now=NOW)

    async with a_unit(container) as unit:
        await unit.users.save(first)
        await unit.commit()
    with pytest.raises(Stale):
        async with a_unit(container) as unit:
            await unit.users.save(second)

    assert (await load(container, user.id)).full_name == "First"


async def test_lets_one_editor_win_when_many_save_at_once(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)
    loaded = [await load(container, user.id) for _ in range(8)]

    async def save(number: int) -> None:
        loaded[number].rename(parse_full_name(f"Editor {number}"), now=NOW)
        async with a_unit(container) as unit:
            await unit.users.save(loaded[number])
            await unit.commit()

    outcomes = await asyncio.gather(*map(save, range(8)), return_exceptions=True)

    assert sum(isinstance(outcome, Stale) for outcome in outcomes) == 7
    assert (await load(container, user.id)).full_name == f"Editor {outcomes.index(None)}"


async def test_refuses_to_save_an_account_that_was_never_added(container: AsyncContainer) -> None:
    user = a_user()
    user.rename(None, now=NOW)

    with pytest.raises(Stale):
        async with a_unit(container) as unit:
            await unit.users.save(user)


async def test_refuses_to_save_what_was_not_changed(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)

    with pytest.raises(Stale):
        async with a_unit(container) as unit:
            await unit.users.save(await unit.users.get(user.id))


async def test_refuses_to_save_with_the_address_of_another_account(container: AsyncContainer) -> None:
    user, other = a_user(), a_user()
    await store(container, user, other)

    with pytest.raises(EmailTaken):
        async with a_unit(container) as unit:
            loaded = await unit.users.get(user.id)
            loaded.email = other.email
            loaded.rename(None, now=NOW)
            await unit.users.save(loaded)


# --- queries


async def test_shows_an_account_by_its_id(container: AsyncContainer) -> None:
    user = a_user(full_name="Ada", role=Role.ADMIN)
    await store(container, user)
    users: UserQueries = await container.get(UserQueries)

    assert await users.get(user.id) == view_of(user)


async def test_shows_no_account_that_is_not_there(container: AsyncContainer) -> None:
    users: UserQueries = await container.get(UserQueries)

    with pytest.raises(UserNotFound):
        await users.get(UserId(an_id()))


async def test_shows_an_account_by_its_address(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user, a_user())
    users: UserQueries = await container.get(UserQueries)

    assert await users.find(user.email) == view_of(user)
    assert await users.find(parse_email(f"x{user.email}")) is None

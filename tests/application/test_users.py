"""Accounts, for their owners and for administrators."""

from datetime import timedelta

import pytest
from dishka import AsyncContainer

from application.paging import Order
from application.users.administration import FindUser, ListUsers, ShowUser
from application.users.ports import UserFilter, UserSort
from application.users.profile import RenameProfile, ShowProfile
from application.users.views import UserView
from application.versions import Precondition
from domain.access import Actor, PermissionDenied, Role
from domain.errors import Invalid, Stale
from domain.ids import UserId
from domain.users.errors import UserNotFound
from tests.application.conftest import People
from tests.builders import a_powerless_actor, a_user, an_actor, an_admin, an_id
from tests.clock import NOW, FixedClock
from tests.units import store, use


def actor_for(user: UserView) -> Actor:
    return Actor.member_of(user.role, user_id=user.id)


# --- one's own


async def test_shows_people_their_own_account(container: AsyncContainer, people: People) -> None:
    user = await people.an_account()

    assert await use(container, ShowProfile)(actor_for(user)) == user


async def test_a_profile_needs_the_permission_and_an_account(container: AsyncContainer) -> None:
    with pytest.raises(PermissionDenied):
        await use(container, ShowProfile)(a_powerless_actor())
    with pytest.raises(UserNotFound):
        await use(container, ShowProfile)(Actor.operator())


async def test_people_rename_themselves(container: AsyncContainer, people: People, clock: FixedClock) -> None:
    user = await people.an_account()
    clock.advance(timedelta(hours=1))

    renamed = await use(container, RenameProfile)(actor_for(user), full_name="Ada")

    assert (renamed.full_name, renamed.version, renamed.updated_at) == ("Ada", 2, NOW + timedelta(hours=1))
    assert await use(container, ShowProfile)(actor_for(user)) == renamed


async def test_people_drop_their_name(container: AsyncContainer, people: People) -> None:
    user = await people.an_account()
    rename = use(container, RenameProfile)
    await rename(actor_for(user), full_name="Ada")

    assert (await rename(actor_for(user), full_name=None)).full_name is None


async def test_renames_only_the_version_that_was_seen(container: AsyncContainer, people: People) -> None:
    user = await people.an_account()
    rename = use(container, RenameProfile)

    await rename(actor_for(user), full_name="First", precondition=Precondition(any_of=frozenset({1, 7})))
    for seen in ({1}, {3}, set()):
        with pytest.raises(Stale):
            await rename(actor_for(user), full_name="Second", precondition=Precondition(any_of=frozenset(seen)))

    assert (await use(container, ShowProfile)(actor_for(user))).full_name == "First"


async def test_refuses_names_that_are_none(container: AsyncContainer, people: People) -> None:
    user = await people.an_account()

    with pytest.raises(Invalid):
        await use(container, RenameProfile)(actor_for(user), full_name=" ")


async def test_renaming_needs_the_permission(container: AsyncContainer) -> None:
    with pytest.raises(PermissionDenied):
        await use(container, RenameProfile)(a_powerless_actor(), full_name="Ada")


# --- anybody's


async def test_shows_admins_anybody_and_members_only_themselves(container: AsyncContainer, people: People) -> None:
    user, other = await people.an_account(), await people.an_account()
    show = use(container, ShowUser)

    assert await show(an_admin(), user.id) == user
    assert await show(actor_for(user), user.id) == user
    with pytest.raises(UserNotFound) as hidden:
        await show(actor_for(user), other.id)
    with pytest.raises(UserNotFound) as missing:
        await show(actor_for(user), UserId(an_id()))
    assert str(hidden.value) == str(missing.value)


async def test_showing_an_account_needs_the_permission(container: AsyncContainer) -> None:
    with pytest.raises(PermissionDenied):
        await use(container, ShowUser)(a_powerless_actor(), UserId(an_id()))


async def test_finds_accounts_by_any_spelling_of_their_address(container: AsyncContainer, people: People) -> None:
    user = await people.an_account(email="ada@example.org")
    find = use(container, FindUser)

    assert await find(an_admin(), " ADA@Example.org") == user
    with pytest.raises(UserNotFound):
        await find(an_admin(), "nobody@example.org")
    with pytest.raises(Invalid):
        await find(an_admin(), "nonsense")
    with pytest.raises(PermissionDenied):
        await find(an_actor(), "ada@example.org")


async def test_lists_accounts_for_admins(container: AsyncContainer) -> None:
    users = [a_user(email=f"{name}@example.org") for name in ("c", "a", "b")]
    await store(container, *users, a_user(email="d@example.org", role=Role.ADMIN))
    list_users = use(container, ListUsers)
    which, order = UserFilter(role=Role.MEMBER), Order(UserSort.EMAIL)

    first = await list_users(an_admin(), which, order=order, limit=2)
    last = await list_users(an_admin(), which, order=order, limit=2, after=first.next)

    assert [user.email[0] for user in (*first.data, *last.data)] == ["a", "b", "c"]
    assert last.next is None


async def test_lists_no_accounts_for_members(container: AsyncContainer) -> None:
    with pytest.raises(PermissionDenied):
        await use(container, ListUsers)(an_actor(), UserFilter(), order=Order(UserSort.EMAIL), limit=1)

"""What may happen to an account while somebody else does something to it; and who may do it at all."""

from collections.abc import Callable

import pytest
from dishka import AsyncContainer

from application.auth.accounts import EditUser, EraseProfile, EraseUser, ReplacePassword
from application.auth.export import ExportAccount
from application.auth.sessions import ListSessions, RevokeSession, RevokeSessions
from application.users.ports import UserQueries
from domain.access import Actor, PermissionDenied, Role
from domain.auth.errors import WrongPassword
from domain.errors import Invalid
from domain.ids import SessionId, UserId
from domain.users.errors import UserNotFound
from domain.users.user import User
from tests.application.conftest import CountingHasher, People
from tests.builders import PASSWORD, a_powerless_actor, an_actor, an_id
from tests.units import use


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda user: setattr(user, "password_hash", "another"), id="password changed"),
        pytest.param(lambda user: setattr(user, "is_active", False), id="deactivated"),
    ],
)
async def test_erases_nobody_whose_account_changed_while_the_password_was_checked(
    container: AsyncContainer, people: People, hasher: CountingHasher, change: Callable[[User], None]
) -> None:
    user = await people.an_account()

    async def meanwhile() -> None:
        hasher.meanwhile = None
        await people.change(user, change)

    hasher.meanwhile = meanwhile
    with pytest.raises(WrongPassword):
        await use(container, EraseProfile)(Actor.member_of(Role.MEMBER, user_id=user.id), password=PASSWORD)

    users: UserQueries = await container.get(UserQueries)
    assert (await users.get(user.id)).email == user.email


async def test_nobody_without_the_permission_comes_near(container: AsyncContainer, people: People) -> None:
    user = await people.an_account()
    nobody, stranger = a_powerless_actor(), an_actor()

    for attempt in (
        use(container, EraseProfile)(nobody, password=PASSWORD),
        use(container, RevokeSession)(nobody, SessionId(an_id())),
        use(container, RevokeSessions)(nobody, nobody.user_id),
        use(container, ListSessions)(nobody, nobody.user_id),
        use(container, ExportAccount)(nobody, nobody.user_id),
        use(container, EditUser)(stranger, user.id, role=Role.ADMIN),
        use(container, EraseUser)(stranger, user.id),
        use(container, ReplacePassword)(stranger, user.id, password=PASSWORD),
        use(container, RevokeSessions)(stranger, user.id),
        use(container, ListSessions)(stranger, user.id),
        use(container, ExportAccount)(stranger, user.id),
    ):
        with pytest.raises(PermissionDenied):
            await attempt


async def test_replaces_no_password_by_one_that_is_none_and_none_of_nobody(
    container: AsyncContainer, people: People
) -> None:
    user = await people.an_account()

    with pytest.raises(Invalid):
        await use(container, ReplacePassword)(Actor.operator(), user.id, password="short")
    with pytest.raises(UserNotFound):
        await use(container, ReplacePassword)(Actor.operator(), UserId(an_id()), password=PASSWORD)

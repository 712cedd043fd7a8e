"""What administrators do with accounts."""

from dataclasses import dataclass

from application.paging import Order, Page, Place
from application.users.ports import UserFilter, UserQueries, UserSort
from application.users.views import UserView
from domain.access import Actor, Permission
from domain.ids import UserId
from domain.users.email import parse_email
from domain.users.errors import UserNotFound


@dataclass(frozen=True, slots=True)
class ShowUser:
    """Show an account: anybody's to those who may see all, else one's own."""

    users: UserQueries

    async def __call__(self, actor: Actor, user_id: UserId) -> UserView:
        """Return the account; raises UserNotFound, also for what the actor may not see."""
        actor.require(Permission.PROFILE_READ)
        if user_id != actor.user_id and not actor.may(Permission.USERS_READ):
            raise UserNotFound
        return await self.users.get(user_id)


@dataclass(frozen=True, slots=True)
class FindUser:
    """Find an account by its address."""

    users: UserQueries

    async def __call__(self, actor: Actor, email: str) -> UserView:
        """Return the account; raises PermissionDenied, Invalid, UserNotFound."""
        actor.require(Permission.USERS_READ)
        user = await self.users.find(parse_email(email))
        if user is None:
            raise UserNotFound("There is no user with this email address.")
        return user


@dataclass(frozen=True, slots=True)
class ListUsers:
    """List accounts."""

    users: UserQueries

    async def __call__(
        self, actor: Actor, which: UserFilter, *, order: Order[UserSort], limit: int, after: Place | None = None
    ) -> Page[UserView]:
        """Return a page of accounts; raises PermissionDenied."""
        actor.require(Permission.USERS_READ)
        return await self.users.page(which, order=order, limit=limit, after=after)

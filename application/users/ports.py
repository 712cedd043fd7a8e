"""What the users feature asks of storage."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from application.paging import Order, Page, Place
from application.users.views import UserView
from domain.access import Role
from domain.ids import UserId
from domain.users.email import Email
from domain.users.user import User


class UserRepository(Protocol):
    """Accounts, for changing them."""

    async def add(self, user: User) -> None:
        """Store a new account. Raises EmailTaken if another account has its address."""

    async def get(self, user_id: UserId) -> User:
        """Load an account for changing it: others who want to change it wait for this unit. Raises UserNotFound."""

    async def save(self, user: User) -> None:
        """Store the account's next version. Raises Stale if it was changed since it was loaded, and EmailTaken."""

    async def delete(self, user: User) -> None:
        """Remove the account with all that is its own. Raises Stale if it was changed or deleted since it was loaded.

        Its own are its sessions, items, keys, factors, tokens, and the letters that were put with its id.
        """

    async def lock_active_admins(self) -> frozenset[UserId]:
        """Return who administers. Until this unit ends they stay it: others who ask wait, as do those who `get` one.

        Ask before loading an account in the same unit, so that no two units wait for each other.
        """


class UserSort(StrEnum):
    """By what a list of users can be sorted."""

    CREATED_AT = "created_at"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users to list; None does not filter. `q` is a part of the address or the name, case ignored."""

    q: str | None = None
    role: Role | None = None
    is_active: bool | None = None


class UserQueries(Protocol):
    """Accounts, for showing them. Sees what is committed."""

    async def get(self, user_id: UserId) -> UserView:
        """Return the account with this id. Raises UserNotFound."""

    async def find(self, email: Email) -> UserView | None:
        """Return the account with this address, or None."""

    async def page(
        self, which: UserFilter, *, order: Order[UserSort], limit: int, after: Place | None
    ) -> Page[UserView]:
        """Return up to `limit` accounts in this order, behind the place."""

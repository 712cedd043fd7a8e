"""Accounts in memory."""

from adapters.memory.paging import page_of
from adapters.memory.store import MemoryStore, MemoryTable, MemoryUnitOfWork
from application.paging import Order, Page, Place
from application.users.ports import UserFilter, UserQueries, UserRepository, UserSort
from application.users.views import UserView, view_of
from domain.errors import Stale
from domain.ids import UserId
from domain.users.email import Email
from domain.users.errors import EmailTaken, UserNotFound
from domain.users.user import User

USERS = "users"


class MemoryUserRepository(UserRepository):
    """Accounts, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork) -> None:
        self._unit = unit

    async def add(self, user: User) -> None:
        users = await self._unit.table(USERS, User)
        _refuse_taken_email(users, user)
        users.put(user.id, user)

    async def get(self, user_id: UserId) -> User:
        user = (await self._unit.table(USERS, User)).get(user_id)
        if user is None:
            raise UserNotFound
        return user

    async def save(self, user: User) -> None:
        users = await self._unit.table(USERS, User)
        stored = users.get(user.id)
        if stored is None or stored.version != user.version - 1:
            raise Stale
        _refuse_taken_email(users, user)
        users.put(user.id, user)

    async def delete(self, user: User) -> None:
        users = await self._unit.table(USERS, User)
        stored = users.get(user.id)
        if stored is None or stored.version != user.version:
            raise Stale
        users.remove(user.id)
        self._unit.remove_owned(user.id)

    async def lock_active_admins(self) -> frozenset[UserId]:
        return frozenset(user.id for user in (await self._unit.table(USERS, User)).rows() if user.is_active_admin)


def _refuse_taken_email(users: MemoryTable[User], user: User) -> None:
    if any(other.email == user.email and other.id != user.id for other in users.rows()):
        raise EmailTaken


class MemoryUserQueries(UserQueries):
    """Accounts, as they are committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def get(self, user_id: UserId) -> UserView:
        user = self._store.table(USERS, User).get(user_id)
        if user is None:
            raise UserNotFound
        return view_of(user)

    async def find(self, email: Email) -> UserView | None:
        users = self._store.table(USERS, User).values()
        return next((view_of(user) for user in users if user.email == email), None)

    async def page(
        self, which: UserFilter, *, order: Order[UserSort], limit: int, after: Place | None
    ) -> Page[UserView]:
        return page_of(
            (user for user in self._store.table(USERS, User).values() if _matches(user, which)),
            view_of,
            key=lambda user: user.email if order.by is UserSort.EMAIL else user.created_at,
            tie_break=lambda user: user.id,
            order=order,
            limit=limit,
            after=after,
        )


def _matches(user: User, which: UserFilter) -> bool:
    return (
        (which.q is None or any(which.q.lower() in text.lower() for text in (user.email, user.full_name or "")))
        and (which.role is None or user.role is which.role)
        and (which.is_active is None or user.is_active is which.is_active)
    )

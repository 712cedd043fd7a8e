"""Accounts in SQL."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from adapters.sql.base import ESCAPE, Timestamp, containing, metadata, ordered_text
from adapters.sql.keyset import KeysetPages
from adapters.sql.mapping import Mapping
from adapters.sql.reads import Reads
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.paging import Order, Page, Place
from application.users.ports import UserFilter, UserQueries, UserRepository, UserSort
from application.users.views import UserView
from domain.access import Role
from domain.errors import Stale
from domain.ids import UserId
from domain.users.email import EMAIL_MAX, Email
from domain.users.errors import UserNotFound
from domain.users.user import FULL_NAME_MAX, User

USERS = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("email", ordered_text(EMAIL_MAX), nullable=False),
    sa.Column("full_name", sa.String(FULL_NAME_MAX)),
    sa.Column("password_hash", sa.String(255), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("is_active", sa.Boolean(), nullable=False),
    sa.Column("email_verified", sa.Boolean(), nullable=False),
    sa.Column("created_at", Timestamp(), nullable=False),
    sa.Column("updated_at", Timestamp(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.UniqueConstraint("email"),
    sa.Index("ix_users_created_at_id", "created_at", "id"),
)

_users = Mapping(USERS)
_c = _users.table.c
_ADD = _users.insert()
_LOAD = sa.select(*_users.table.columns).where(_c.id == sa.bindparam("id")).with_for_update()
_SAVE = (
    sa.update(_users.table)
    .where(_c.id == sa.bindparam("saved_id"), _c.version == sa.bindparam("loaded_version"))
    .values({name: sa.bindparam(name) for name in _users.names if name not in ("id", "created_at")})
)
_DELETE = sa.delete(_users.table).where(
    _c.id == sa.bindparam("deleted_id"), _c.version == sa.bindparam("loaded_version")
)
# Locked in one order, so that no two of these wait for each other; what only refers to an administrator need not wait.
_ACTIVE_ADMINS = (
    sa.select(_c.id).where(_c.role == Role.ADMIN, _c.is_active).order_by(_c.id).with_for_update(key_share=True)
)


class SqlUserRepository(UserRepository):
    """Accounts, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    async def add(self, user: User) -> None:
        await self._unit.execute(_ADD, _users.values(user))

    async def get(self, user_id: UserId) -> User:
        row = (await self._unit.execute(_LOAD, {"id": user_id})).row()
        if row is None:
            raise UserNotFound
        fields = _users.fields(row)
        return User(**(fields | {"role": Role(fields["role"])}))

    async def save(self, user: User) -> None:
        values = _users.values(user)
        saved = await self._unit.execute(_SAVE, values | {"saved_id": user.id, "loaded_version": user.version - 1})
        if saved.count != 1:
            raise Stale

    async def delete(self, user: User) -> None:
        # What is the account's own goes with it: each of its tables says ON DELETE CASCADE.
        deleted = await self._unit.execute(_DELETE, {"deleted_id": user.id, "loaded_version": user.version})
        if deleted.count != 1:
            raise Stale

    async def lock_active_admins(self) -> frozenset[UserId]:
        rows = (await self._unit.execute(_ACTIVE_ADMINS)).rows
        return frozenset(UserId(user_id) for (user_id,) in rows)


def _view(
    user_id: UUID,
    email: str,
    full_name: str | None,
    role: str,
    is_active: bool,  # noqa: FBT001 - called with a row's columns, in their order
    email_verified: bool,  # noqa: FBT001 - likewise
    created_at: datetime,
    updated_at: datetime,
    version: int,
) -> UserView:
    return UserView(
        UserId(user_id),
        Email(email),
        full_name,
        Role(role),
        is_active,
        email_verified,
        created_at,
        updated_at,
        version,
    )


_VIEW = sa.select(
    _c.id,
    _c.email,
    _c.full_name,
    _c.role,
    _c.is_active,
    _c.email_verified,
    _c.created_at,
    _c.updated_at,
    _c.version,
)
_BY_ID = _VIEW.where(_c.id == sa.bindparam("id"))
_BY_EMAIL = _VIEW.where(_c.email == sa.bindparam("email"))
_Q = sa.bindparam("q", type_=sa.String())
_PAGES = KeysetPages(
    _VIEW,
    keys={UserSort.CREATED_AT: _c.created_at, UserSort.EMAIL: _c.email},
    tie_break=_c.id,
    filters={
        "q": sa.or_(_c.email.ilike(_Q, escape=ESCAPE), _c.full_name.ilike(_Q, escape=ESCAPE)),
        "role": _c.role == sa.bindparam("role"),
        "is_active": _c.is_active == sa.bindparam("is_active"),
    },
)


class SqlUserQueries(UserQueries):
    """Accounts, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, user_id: UserId) -> UserView:
        view = await self._reads.one(_BY_ID, _view, id=user_id)
        if view is None:
            raise UserNotFound
        return view

    async def find(self, email: Email) -> UserView | None:
        return await self._reads.one(_BY_EMAIL, _view, email=email)

    async def page(
        self, which: UserFilter, *, order: Order[UserSort], limit: int, after: Place | None
    ) -> Page[UserView]:
        filters = {
            "q": None if which.q is None else containing(which.q),
            "role": which.role,
            "is_active": which.is_active,
        }
        return await _PAGES.page(self._reads, _view, filters, order=order, limit=limit, after=after)

"""API keys in SQL."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from adapters.sql.base import Timestamp, metadata
from adapters.sql.engines import Engines
from adapters.sql.errors import translated
from adapters.sql.keyset import KeysetPages
from adapters.sql.mapping import Mapping
from adapters.sql.reads import Reads
from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import USERS
from application.auth.api_key_cache import ApiKeyStandingSource
from application.auth.api_key_ports import ApiKeyQueries, ApiKeyRepository, ApiKeyStanding, ApiKeyUses
from application.auth.views import ApiKeyView
from application.paging import Order, Page, Place
from domain.access import Role, Scope
from domain.auth.api_key import ApiKey
from domain.auth.errors import ApiKeyNotFound
from domain.ids import ApiKeyId, UserId

API_KEYS = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("prefix", sa.String(20), nullable=False),
    sa.Column("digest", sa.LargeBinary(), nullable=False),
    sa.Column("scopes", sa.JSON(), nullable=False),
    sa.Column("created_at", Timestamp(), nullable=False),
    sa.Column("expires_at", Timestamp(), nullable=False),
    sa.Column("last_used_at", Timestamp()),
    sa.Column("revoked_at", Timestamp()),
    sa.UniqueConstraint("digest"),
    sa.Index("ix_api_keys_owner_id", "owner_id"),
)
"""Of a key itself only the digest."""

_keys = Mapping(API_KEYS)
_c = _keys.table.c
_u = USERS.c
_ADD = _keys.insert()
_COUNT = sa.select(sa.func.count()).where(_c.owner_id == sa.bindparam("of_owner"), _c.revoked_at.is_(None))
_REVOKE = (
    sa.update(_keys.table)
    .where(_c.id == sa.bindparam("key_id"), _c.owner_id == sa.bindparam("of_owner"), _c.revoked_at.is_(None))
    .values(revoked_at=sa.bindparam("now"))
    .returning(_c.id)
)
_OWNER = sa.select(_c.owner_id).where(_c.id == sa.bindparam("key_id"), _c.revoked_at.is_(None))


class SqlApiKeyRepository(ApiKeyRepository):
    """API keys, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    async def add(self, key: ApiKey) -> None:
        await self._unit.execute(_ADD, _keys.values(key))

    async def count(self, owner_id: UserId) -> int:
        counted: int = (await self._unit.execute(_COUNT, {"of_owner": owner_id})).value()
        return counted

    async def revoke(self, owner_id: UserId, key_id: ApiKeyId, *, now: datetime) -> None:
        revoked = await self._unit.execute(_REVOKE, {"key_id": key_id, "of_owner": owner_id, "now": now})
        if revoked.row() is None:
            raise ApiKeyNotFound

    async def owner_of(self, key_id: ApiKeyId) -> UserId:
        owner_id = (await self._unit.execute(_OWNER, {"key_id": key_id})).value()
        if owner_id is None:
            raise ApiKeyNotFound
        return UserId(owner_id)


def _scopes(names: list[str]) -> tuple[Scope, ...]:
    return tuple(Scope(name) for name in names)


def _view(
    key_id: UUID,
    owner_id: UUID,
    name: str,
    prefix: str,
    scopes: list[str],
    created_at: datetime,
    expires_at: datetime,
    last_used_at: datetime | None,
) -> ApiKeyView:
    return ApiKeyView(
        id=ApiKeyId(key_id),
        owner_id=UserId(owner_id),
        name=name,
        prefix=prefix,
        scopes=_scopes(scopes),
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
    )


_VIEW = sa.select(
    _c.id, _c.owner_id, _c.name, _c.prefix, _c.scopes, _c.created_at, _c.expires_at, _c.last_used_at
).where(_c.revoked_at.is_(None))
_OF = _VIEW.where(_c.owner_id == sa.bindparam("of_owner")).order_by(_c.created_at, _c.id)
_PAGES = KeysetPages(_VIEW, keys={"created_at": _c.created_at}, tie_break=_c.id)


class SqlApiKeyQueries(ApiKeyQueries):
    """API keys, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def of(self, owner_id: UserId) -> list[ApiKeyView]:
        return await self._reads.all(_OF, _view, of_owner=owner_id)

    async def page(self, *, limit: int, after: Place | None) -> Page[ApiKeyView]:
        return await _PAGES.page(self._reads, _view, order=Order("created_at"), limit=limit, after=after)


_STANDING = (
    sa.select(_c.id, _c.owner_id, _u.role, _u.is_active, _c.scopes, _c.expires_at, _c.revoked_at, _c.last_used_at)
    .join_from(_keys.table, USERS, _u.id == _c.owner_id)
    .where(_c.digest == sa.bindparam("digest"))
)


def _standing(
    key_id: UUID,
    owner_id: UUID,
    role: str,
    is_active: bool,  # noqa: FBT001 - called with a row's columns, in their order
    scopes: list[str],
    expires_at: datetime,
    revoked_at: datetime | None,
    last_used_at: datetime | None,
) -> ApiKeyStanding:
    return ApiKeyStanding(
        ApiKeyId(key_id),
        UserId(owner_id),
        Role(role),
        is_active,
        _scopes(scopes),
        expires_at,
        revoked_at,
        last_used_at,
    )


class SqlApiKeyStandings(ApiKeyStandingSource):
    """How API keys stand, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, digest: bytes) -> ApiKeyStanding | None:
        return await self._reads.one(_STANDING, _standing, digest=digest)


_RECORD_USE = (
    sa.update(_keys.table)
    .where(
        _c.id == sa.bindparam("key_id"),
        sa.or_(_c.last_used_at.is_(None), _c.last_used_at <= sa.bindparam("unless_since")),
    )
    .values(last_used_at=sa.bindparam("now"))
)


class SqlApiKeyUses(ApiKeyUses):
    """When API keys were last used, each write in a transaction of its own."""

    def __init__(self, engines: Engines) -> None:
        self._write = engines.write

    async def record(self, key_id: ApiKeyId, *, now: datetime, unless_since: datetime) -> None:
        with translated():
            await self._write.run(_RECORD_USE, {"key_id": key_id, "now": now, "unless_since": unless_since})

"""API keys in memory."""

from dataclasses import replace
from datetime import datetime

from adapters.memory.paging import page_of
from adapters.memory.store import MemoryStore, MemoryUnitOfWork
from adapters.memory.users import USERS
from application.auth.api_key_cache import ApiKeyStandingSource
from application.auth.api_key_ports import ApiKeyQueries, ApiKeyRepository, ApiKeyStanding, ApiKeyUses
from application.auth.views import ApiKeyView
from application.paging import Order, Page, Place
from domain.auth.api_key import ApiKey
from domain.auth.errors import ApiKeyNotFound
from domain.ids import ApiKeyId, UserId
from domain.users.errors import UserNotFound
from domain.users.user import User

API_KEYS = "api_keys"


class MemoryApiKeyRepository(ApiKeyRepository):
    """API keys, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork) -> None:
        self._unit = unit

    async def add(self, key: ApiKey) -> None:
        if (await self._unit.table(USERS, User)).get(key.owner_id) is None:
            raise UserNotFound
        (await self._unit.table(API_KEYS, ApiKey)).put(key.id, key)

    async def count(self, owner_id: UserId) -> int:
        keys = await self._unit.table(API_KEYS, ApiKey)
        return sum(key.owner_id == owner_id and key.revoked_at is None for key in keys.rows())

    async def revoke(self, owner_id: UserId, key_id: ApiKeyId, *, now: datetime) -> None:
        keys = await self._unit.table(API_KEYS, ApiKey)
        key = keys.get(key_id)
        if key is None or key.owner_id != owner_id or key.revoked_at is not None:
            raise ApiKeyNotFound
        keys.put(key_id, replace(key, revoked_at=now))

    async def owner_of(self, key_id: ApiKeyId) -> UserId:
        key = (await self._unit.table(API_KEYS, ApiKey)).get(key_id)
        if key is None or key.revoked_at is not None:
            raise ApiKeyNotFound
        return key.owner_id


class MemoryApiKeyQueries(ApiKeyQueries):
    """API keys, as they are committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def of(self, owner_id: UserId) -> list[ApiKeyView]:
        keys = [key for key in self._live() if key.owner_id == owner_id]
        return [_view(key) for key in sorted(keys, key=lambda key: (key.created_at, key.id))]

    async def page(self, *, limit: int, after: Place | None) -> Page[ApiKeyView]:
        return page_of(
            self._live(),
            _view,
            key=lambda key: key.created_at,
            tie_break=lambda key: key.id,
            order=Order("created_at"),
            limit=limit,
            after=after,
        )

    def _live(self) -> list[ApiKey]:
        return [key for key in self._store.table(API_KEYS, ApiKey).values() if key.revoked_at is None]


def _view(key: ApiKey) -> ApiKeyView:
    return ApiKeyView(
        id=key.id,
        owner_id=key.owner_id,
        name=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
    )


class MemoryApiKeyStandings(ApiKeyStandingSource):
    """How API keys stand, as it is committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def find(self, digest: bytes) -> ApiKeyStanding | None:
        for key in self._store.table(API_KEYS, ApiKey).values():
            owner = self._store.table(USERS, User).get(key.owner_id)
            if key.digest == digest and owner is not None:
                return ApiKeyStanding(
                    key.id,
                    key.owner_id,
                    owner.role,
                    owner.is_active,
                    key.scopes,
                    key.expires_at,
                    key.revoked_at,
                    key.last_used_at,
                )
        return None


class MemoryApiKeyUses(ApiKeyUses):
    """When API keys were last used, each write a unit of its own."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def record(self, key_id: ApiKeyId, *, now: datetime, unless_since: datetime) -> None:
        unit = MemoryUnitOfWork(self._store)
        try:
            keys = await unit.table(API_KEYS, ApiKey)
            key = keys.get(key_id)
            if key is not None and (key.last_used_at is None or key.last_used_at <= unless_since):
                keys.put(key_id, replace(key, last_used_at=now))
            await unit.commit()
        finally:
            await unit.close()

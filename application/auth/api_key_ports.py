"""What API keys ask of storage."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from application.auth.views import ApiKeyView
from application.paging import Page, Place
from domain.access import Role, Scope
from domain.auth.api_key import ApiKey
from domain.ids import ApiKeyId, UserId


class ApiKeyRepository(Protocol):
    """API keys, for changing them."""

    async def add(self, key: ApiKey) -> None:
        """Store a new key. Raises UserNotFound if its owner is gone."""

    async def count(self, owner_id: UserId) -> int:
        """Return how many keys of this owner are not revoked, as the unit sees it."""

    async def revoke(self, owner_id: UserId, key_id: ApiKeyId, *, now: datetime) -> None:
        """End a key for good. Raises ApiKeyNotFound for one that was revoked before, is not there or another's."""

    async def owner_of(self, key_id: ApiKeyId) -> UserId:
        """Return whose key it is. Raises ApiKeyNotFound, also for one that was revoked."""


class ApiKeyQueries(Protocol):
    """API keys that are not revoked, for showing them. Sees what is committed."""

    async def of(self, owner_id: UserId) -> list[ApiKeyView]:
        """Return this owner's keys, the oldest first."""

    async def page(self, *, limit: int, after: Place | None) -> Page[ApiKeyView]:
        """Return up to `limit` keys of all owners, the oldest first, behind the place."""


@dataclass(frozen=True, slots=True)
class ApiKeyStanding:
    """Whether an API key may be used, and for what: looked up on each request, so that a change holds at once."""

    key_id: ApiKeyId
    owner_id: UserId
    role: Role
    is_active: bool
    scopes: tuple[Scope, ...]
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class ApiKeyStandings(Protocol):
    """API keys together with their owners, as they stand."""

    async def find(self, digest: bytes) -> ApiKeyStanding | None:
        """Return how the key stands, or None. What is committed, or was at most the cache's time ago."""


class ApiKeyUses(Protocol):
    """When API keys were last used. Each call is a unit of its own."""

    async def record(self, key_id: ApiKeyId, *, now: datetime, unless_since: datetime) -> None:
        """Store that the key was used now, unless a use after `unless_since` is stored already."""

"""API keys: making, showing and revoking them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from application.auth.api_key_ports import ApiKeyQueries, ApiKeyRepository
from application.auth.ports import RandomBytes
from application.auth.views import ApiKeyView, NewApiKey
from application.paging import Page, Place
from application.ports import AuditLog, Clock, NewId, StandingChanges, UnitOfWork
from application.users.ports import UserRepository
from domain.access import Actor, Permission
from domain.audit import AuditAction
from domain.auth.api_key import API_KEY_SECRET_BYTES, API_KEYS_MAX, ApiKey
from domain.auth.errors import TooManyApiKeys
from domain.ids import ApiKeyId


@dataclass(frozen=True, slots=True)
class CreateApiKey:
    """Make a key to the actor's own account."""

    users: UserRepository
    keys: ApiKeyRepository
    random_bytes: RandomBytes
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock
    new_id: NewId

    async def __call__(
        self, actor: Actor, *, name: str, scopes: Iterable[str], expires_at: datetime | None = None
    ) -> NewApiKey:
        """Return the new key, which is shown this once; raises PermissionDenied, Invalid, TooManyApiKeys."""
        actor.require(Permission.CREDENTIALS)
        key, text = ApiKey.make(
            ApiKeyId(self.new_id()),
            owner_id=actor.user_id,
            name=name,
            scopes=scopes,
            expires_at=expires_at,
            secret=self.random_bytes(API_KEY_SECRET_BYTES),
            now=self.clock.now(),
        )
        # Locks the account, so that two that are made at once are counted one after the other.
        await self.users.get(actor.user_id)
        if await self.keys.count(actor.user_id) >= API_KEYS_MAX:
            raise TooManyApiKeys
        await self.keys.add(key)
        await self.audit.record(
            AuditAction.API_KEY_CREATED,
            actor_id=actor.user_id,
            subject_id=key.id,
            client=actor.client,
            data={"scopes": " ".join(key.scopes)},
        )
        await self.unit.commit()
        return NewApiKey.of(key, text)


@dataclass(frozen=True, slots=True)
class ListApiKeys:
    """List the actor's own keys."""

    keys: ApiKeyQueries

    async def __call__(self, actor: Actor) -> list[ApiKeyView]:
        """Return those that are not revoked, the oldest first; raises PermissionDenied."""
        actor.require(Permission.CREDENTIALS)
        return await self.keys.of(actor.user_id)


@dataclass(frozen=True, slots=True)
class RevokeApiKey:
    """End one of the actor's own keys, at once."""

    keys: ApiKeyRepository
    standing_changes: StandingChanges
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, key_id: ApiKeyId) -> None:
        """End it; raises PermissionDenied, ApiKeyNotFound."""
        actor.require(Permission.CREDENTIALS)
        await self.keys.revoke(actor.user_id, key_id, now=self.clock.now())
        await self.standing_changes.announce(actor.user_id)
        await self.audit.record(
            AuditAction.API_KEY_REVOKED, actor_id=actor.user_id, subject_id=key_id, client=actor.client
        )
        await self.unit.commit()


@dataclass(frozen=True, slots=True)
class ListAllApiKeys:
    """List the keys of all accounts."""

    keys: ApiKeyQueries

    async def __call__(self, actor: Actor, *, limit: int, after: Place | None = None) -> Page[ApiKeyView]:
        """Return a page of those that are not revoked, the oldest first; raises PermissionDenied."""
        actor.require(Permission.USERS_READ)
        return await self.keys.page(limit=limit, after=after)


@dataclass(frozen=True, slots=True)
class RevokeAnyApiKey:
    """End a key of whichever account, at once."""

    keys: ApiKeyRepository
    standing_changes: StandingChanges
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, key_id: ApiKeyId) -> None:
        """End it; raises PermissionDenied, ApiKeyNotFound."""
        actor.require(Permission.USERS_WRITE)
        owner_id = await self.keys.owner_of(key_id)
        await self.keys.revoke(owner_id, key_id, now=self.clock.now())
        await self.standing_changes.announce(owner_id)
        await self.audit.record(
            AuditAction.API_KEY_REVOKED, actor_id=actor.user_id, subject_id=key_id, client=actor.client
        )
        await self.unit.commit()

"""Who may do what: the one table of permissions, and the actor that is asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from domain.errors import Forbidden
from domain.ids import OPERATOR, ApiKeyId, SessionId, UserId


class Permission(StrEnum):
    """What an actor can be allowed to do. `any` reaches beyond the actor's own."""

    ITEMS_READ = "items:read"
    ITEMS_WRITE = "items:write"
    ITEMS_READ_ANY = "items:read:any"
    PROFILE_READ = "profile:read"
    PROFILE_WRITE = "profile:write"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    AUDIT_READ = "audit:read"
    SIGNING_KEYS = "signing-keys"
    CREDENTIALS = "credentials"
    MAIL = "mail"


class Role(StrEnum):
    """What kind of account it is."""

    MEMBER = "member"
    ADMIN = "admin"


_MEMBER = frozenset(
    {
        Permission.ITEMS_READ,
        Permission.ITEMS_WRITE,
        Permission.PROFILE_READ,
        Permission.PROFILE_WRITE,
        Permission.CREDENTIALS,
    }
)
ROLE_PERMISSIONS = {Role.MEMBER: _MEMBER, Role.ADMIN: frozenset(Permission)}


class Scope(StrEnum):
    """What an API key may be made for."""

    ITEMS_READ = "items:read"
    ITEMS_WRITE = "items:write"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    AUDIT_READ = "audit:read"


SCOPE_PERMISSIONS = {
    Scope.ITEMS_READ: frozenset({Permission.ITEMS_READ, Permission.ITEMS_READ_ANY}),
    Scope.ITEMS_WRITE: frozenset({Permission.ITEMS_WRITE}),
    Scope.USERS_READ: frozenset({Permission.USERS_READ, Permission.PROFILE_READ}),
    Scope.USERS_WRITE: frozenset({Permission.USERS_WRITE, Permission.PROFILE_WRITE}),
    Scope.AUDIT_READ: frozenset({Permission.AUDIT_READ}),
}
"""What each scope allows, as far as the key's owner may do it. None allows `CREDENTIALS`: no key makes a key."""


class PermissionDenied(Forbidden):
    """You may not do this."""

    detail = "Your account lacks the permission for this."


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request came from, as far as is known."""

    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and what they may do. Every use case takes one first."""

    user_id: UserId
    permissions: frozenset[Permission]
    session_id: SessionId | None = None
    client: Client = Client()
    api_key_id: ApiKeyId | None = None

    @classmethod
    def member_of(
        cls, role: Role, *, user_id: UserId, session_id: SessionId | None = None, client: Client = Client()
    ) -> Self:
        """Build the actor that an account of this role is."""
        return cls(user_id=user_id, permissions=ROLE_PERMISSIONS[role], session_id=session_id, client=client)

    @classmethod
    def by_key(
        cls, api_key_id: ApiKeyId, role: Role, scopes: Iterable[Scope], *, user_id: UserId, client: Client = Client()
    ) -> Self:
        """Build the actor that an API key stands for: it may do what its scopes allow and its owner's role does too."""
        scoped = frozenset[Permission]().union(*(SCOPE_PERMISSIONS[scope] for scope in scopes))
        return cls(user_id=user_id, permissions=ROLE_PERMISSIONS[role] & scoped, client=client, api_key_id=api_key_id)

    @classmethod
    def operator(cls, *, on_behalf_of: UserId = OPERATOR) -> Self:
        """Build the actor of the command line, who may do all, for itself or in somebody's stead."""
        return cls(user_id=on_behalf_of, permissions=frozenset(Permission))

    def may(self, permission: Permission) -> bool:
        """Tell whether the actor has the permission."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise PermissionDenied unless the actor has the permission (ASVS 5.0 8.2.1)."""
        if permission not in self.permissions:
            raise PermissionDenied

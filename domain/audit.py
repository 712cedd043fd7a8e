"""What is written down about security (ASVS 5.0 16.3): who did what to whom, from where."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from domain.access import Client
from domain.ids import OPERATOR, UserId

GENESIS = bytes(32)
"""What stands in for the hash of the event before the first."""

SALT_BYTES = 16
"""Of randomness that keeps a client from being guessed by its digest."""


class AuditAction(StrEnum):
    """The events that are recorded. Names are stable; programs read them."""

    USER_REGISTERED = "user.registered"
    USER_REGISTERED_AGAIN = "user.registered_again"
    USER_CREATED = "user.created"
    USER_RENAMED = "user.renamed"
    USER_EMAIL_CHANGED = "user.email_changed"
    USER_EMAIL_CHANGE_REQUESTED = "user.email_change_requested"
    USER_EMAIL_VERIFIED = "user.email_verified"
    USER_ROLE_CHANGED = "user.role_changed"
    USER_ACTIVATED = "user.activated"
    USER_DEACTIVATED = "user.deactivated"
    USER_DELETED = "user.deleted"
    USER_EXPORTED = "user.exported"
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_THROTTLED = "login.throttled"
    MFA_FAILED = "mfa.failed"
    MFA_ENABLED = "mfa.enabled"
    MFA_DISABLED = "mfa.disabled"
    RECOVERY_CODE_USED = "mfa.recovery_code_used"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - an event's name, not a secret
    PASSWORD_RESET_REQUESTED = "password.reset_requested"  # noqa: S105 - likewise
    PASSWORD_RESET = "password.reset"  # noqa: S105 - likewise
    SESSION_REVOKED = "session.revoked"
    REFRESH_TOKEN_REUSED = "session.refresh_token_reused"  # noqa: S105 - likewise
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    SIGNING_KEY_ROTATED = "signing_key.rotated"
    SIGNING_KEY_RETIRED = "signing_key.retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One link of the chain. It commits to the client by a salted digest, so that a client can be forgotten later.

    `action` and `data` are what is stored, whether or not this version of Portico could have written it.
    """

    position: int
    id: UUID
    action: str
    actor_id: UserId | None
    subject_id: UUID | None
    client_digest: bytes
    created_at: datetime
    data: str
    previous_hash: bytes

    def chain_hash(self) -> bytes:
        """Return the hash over everything in this event and, through `previous_hash`, all before it (ASVS 16.4.2)."""
        content = [
            self.position,
            str(self.id),
            self.action,
            str(self.actor_id),
            str(self.subject_id),
            self.client_digest.hex(),
            self.created_at.isoformat(),
            self.data,
            self.previous_hash.hex(),
        ]
        return hashlib.sha256(json.dumps(content).encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLink:
    """An event as it is kept: with its hash, and with what may be forgotten of it."""

    event: AuditEvent
    hash: bytes
    client: Client
    client_salt: bytes | None

    @classmethod
    def following(
        cls,
        last: tuple[int, bytes] | None,
        action: AuditAction,
        *,
        id: UUID,  # noqa: A002 - named as the field is
        actor_id: UserId | None,
        subject_id: UUID | None,
        client: Client,
        data: Mapping[str, str],
        salt: bytes,
        now: datetime,
    ) -> Self:
        """Make the link that follows the last one, of which the position and the hash are given.

        The operator is no account: what they did was done by nobody, and the data say `by: operator`.
        """
        position, previous_hash = last or (0, GENESIS)
        if actor_id == OPERATOR:
            actor_id, data = None, {**data, "by": "operator"}
        event = AuditEvent(
            position=position + 1,
            id=id,
            action=action,
            actor_id=actor_id,
            subject_id=subject_id,
            client_digest=digest_client(client, salt),
            created_at=now,
            data=canonical_json(data),
            previous_hash=previous_hash,
        )
        return cls(event=event, hash=event.chain_hash(), client=client, client_salt=salt)

    def forgetful(self) -> Self:
        """Return the link without its client; the chain still holds."""
        return replace(self, client=Client(), client_salt=None)


class Flaw(StrEnum):
    """What can be wrong with a link."""

    GAP = "gap"
    FORK = "fork"
    CONTENT = "content"
    CLIENT = "client"
    UNREADABLE = "unreadable"

    @property
    def meaning(self) -> str:
        """What it tells."""
        return _MEANINGS[self]


_MEANINGS = {
    Flaw.GAP: "events before it are missing",
    Flaw.FORK: "it does not follow from the event before it, which was changed or replaced",
    Flaw.CONTENT: "it was changed after it was written",
    Flaw.CLIENT: "its address or user agent was changed after it was written",
    Flaw.UNREADABLE: "it was changed after it was written, into something that no event says",
}


def flaw_of(link: AuditLink, *, last: tuple[int, bytes] | None) -> Flaw | None:
    """Return the first thing that is wrong with a link that follows the last one, or None."""
    position, previous_hash = last or (0, GENESIS)
    if link.event.position != position + 1:
        return Flaw.GAP
    if link.event.previous_hash != previous_hash:
        return Flaw.FORK
    if link.event.chain_hash() != link.hash:
        return Flaw.CONTENT
    if link.client_salt is None:
        return None if link.client == Client() else Flaw.CLIENT
    return None if digest_client(link.client, link.client_salt) == link.event.client_digest else Flaw.CLIENT


def canonical_json(data: Mapping[str, str]) -> str:
    """Return the one way to write the data of an event."""
    return json.dumps(dict(data), sort_keys=True, separators=(",", ":"))


def digest_client(client: Client, salt: bytes) -> bytes:
    """Return what an event keeps of the client for good; nothing can be guessed from it once the salt is gone."""
    return hmac.digest(salt, json.dumps([client.ip, client.user_agent]).encode(), "sha256")

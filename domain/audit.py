"""What is written down about security (ASVS 5.0 16.3): who did what to whom, from where."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.access import Client
from domain.ids import UserId

GENESIS = bytes(32)
"""What stands in for the hash of the event before the first."""


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
    """One link of the chain. It commits to the client by a salted digest, so that a client can be forgotten later."""

    position: int
    id: UUID
    action: AuditAction
    actor_id: UserId | None
    subject_id: UUID | None
    client_digest: bytes
    created_at: datetime
    data: Mapping[str, str]
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
            canonical_json(self.data),
            self.previous_hash.hex(),
        ]
        return hashlib.sha256(json.dumps(content).encode()).digest()


def canonical_json(data: Mapping[str, str]) -> str:
    """Return the one way to write the data of an event."""
    return json.dumps(dict(data), sort_keys=True, separators=(",", ":"))


def digest_client(client: Client, salt: bytes) -> bytes:
    """Return what an event keeps of the client for good; nothing can be guessed from it once the salt is gone."""
    return hmac.digest(salt, json.dumps([client.ip, client.user_agent]).encode(), "sha256")

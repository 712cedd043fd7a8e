"""Secrets that travel by mail and do one thing once: confirm an address, reset a password, change an address."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from domain.ids import UserId
from domain.users.email import Email

SECRET_BYTES = 32
"""Of randomness in a token (ASVS 5.0 11.5.1 asks for 16)."""

RESET_LIFETIME = timedelta(minutes=30)
CONFIRMATION_LIFETIME = timedelta(hours=24)


class TokenPurpose(StrEnum):
    """What a token is good for, and for nothing else."""

    VERIFY_EMAIL = "verify_email"
    CHANGE_EMAIL = "change_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose's name, not a secret


LIFETIMES = {
    TokenPurpose.VERIFY_EMAIL: CONFIRMATION_LIFETIME,
    TokenPurpose.CHANGE_EMAIL: CONFIRMATION_LIFETIME,
    TokenPurpose.RESET_PASSWORD: RESET_LIFETIME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeToken:
    """What is kept of a token: never the secret, only its digest. `email` is the address that it was sent to."""

    id: UUID
    digest: bytes
    purpose: TokenPurpose
    user_id: UserId
    email: Email | None
    attempts: int
    created_at: datetime
    expires_at: datetime
    consumed_at: datetime | None

    @classmethod
    def issue(
        cls, token_id: UUID, *, secret: str, purpose: TokenPurpose, user_id: UserId, email: Email, now: datetime
    ) -> Self:
        """Return a token that is good from now on, for as long as its purpose needs."""
        return cls(
            id=token_id,
            digest=digest_of(secret),
            purpose=purpose,
            user_id=user_id,
            email=email,
            attempts=0,
            created_at=now,
            expires_at=now + LIFETIMES[purpose],
            consumed_at=None,
        )

    def is_live(self, now: datetime) -> bool:
        """Tell whether it can still be used."""
        return self.consumed_at is None and now < self.expires_at


def show_secret(secret: bytes) -> str:
    """Return the secret as it stands in a link: base64url, which needs no escaping there."""
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def digest_of(secret: str) -> bytes:
    """Return what is stored of a secret. It has 256 random bits, so a plain hash hides it (ASVS 5.0 6.5.2)."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()

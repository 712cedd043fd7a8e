"""What authentication asks of access tokens and of the keys that sign them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.ids import SessionId, UserId


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a valid access token says (RFC 9068)."""

    user_id: UserId
    session_id: SessionId
    expires_at: datetime


class AccessTokens(Protocol):
    """Short-lived, asymmetrically signed tokens that other services can verify from the JWKS."""

    async def prepare(self) -> None:
        """Make the first key unless there is one, and see that all can be opened. Raises Unavailable."""

    async def issue(self, *, user_id: UserId, session_id: SessionId, expires_at: datetime) -> str:
        """Return a signed token."""

    async def read(self, token: str) -> AccessClaims:
        """Return what the token says. Raises InvalidAccessToken unless it is Portico's, for Portico, and in time."""

    async def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys as a JWK Set (RFC 7517 section 5)."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair for access tokens. The private half is sealed; the time columns say in which state the key is."""

    kid: str
    public_jwk: str
    sealed_private_key: bytes
    created_at: datetime
    activates_at: datetime
    retires_at: datetime | None

    def is_retired(self, now: datetime) -> bool:
        """Tell whether nothing that it signed is accepted any longer."""
        return self.retires_at is not None and self.retires_at <= now

    def is_active(self, now: datetime) -> bool:
        """Tell whether it may sign."""
        return self.activates_at <= now and not self.is_retired(now)


class SigningKeyStore(Protocol):
    """Where signing keys are kept. Each call is a unit of its own."""

    async def all(self) -> list[SigningKey]:
        """Return every key, oldest first."""

    async def add_first(self, key: SigningKey) -> None:
        """Store the key if there is none yet; if there is, leave everything as it is."""


class SigningKeyRing(Protocol):
    """Signing keys, for changing them."""

    async def all(self) -> list[SigningKey]:
        """Return every key, oldest first. Others who want to change them wait for this unit."""

    async def add(self, key: SigningKey) -> None:
        """Store a new key."""

    async def save(self, key: SigningKey) -> None:
        """Store when the key, which is one of all, retires."""


class SigningKeyMaker(Protocol):
    """Where key pairs come from."""

    def make(self, *, now: datetime, activates_at: datetime) -> SigningKey:
        """Return a new key pair, its private half sealed."""

    def check(self, key: SigningKey) -> None:
        """Raise Unavailable if the key was sealed by another installation, or under another secret."""

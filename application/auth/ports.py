"""What authentication asks of storage and of cryptography."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from application.auth.views import SessionView
from domain.access import Role
from domain.auth.one_time_token import OneTimeToken, TokenPurpose
from domain.auth.password import Password
from domain.auth.session import Session
from domain.ids import SessionId, UserId
from domain.users.email import Email


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """Whether a password is right, and if so whether its hash is weaker than new ones."""

    is_right: bool
    is_outdated: bool = False


class PasswordHasher(Protocol):
    """Turns passwords into something that may be stored. Slow by design; never blocks the event loop."""

    async def hash(self, password: Password) -> str:
        """Return a salted hash as a PHC string. Raises Unavailable when too many are waiting."""

    async def check(self, password: Password, password_hash: str | None) -> PasswordCheck:
        """Compare with a hash. With None it does the same work and is never right. Raises Unavailable."""


class RefreshTokens(Protocol):
    """The wire form of a session's refresh tokens: `sid.counter.mac`."""

    def issue(self, session_id: SessionId, counter: int) -> str:
        """Return the session's refresh token of this number; the same each time."""

    def read(self, token: str) -> tuple[SessionId, int]:
        """Return which session and number a token is for. Raises InvalidRefreshToken unless Portico made it."""


class SessionRepository(Protocol):
    """Sessions, for changing them."""

    async def add(self, session: Session) -> None:
        """Store a new session."""

    async def find(self, session_id: SessionId) -> Session | None:
        """Return the session as the unit sees it, or None."""

    async def revoke(self, session_id: SessionId, *, now: datetime) -> bool:
        """End the session, and tell whether this did; one that has been revoked keeps the time at which it was."""

    async def revoke_all(self, user_id: UserId, *, now: datetime, but: SessionId | None = None) -> int:
        """End the user's sessions, if given all but this one; return how many live ones that were."""

    async def revoke_oldest(self, user_id: UserId, *, keep: int, now: datetime) -> int:
        """End the user's live sessions but the `keep` that began last; return how many that were."""


class SessionRotation(Protocol):
    """Spending refresh tokens. It is true at once, whatever unit it is done in: nothing else has to be true with it."""

    async def rotate(
        self, session_id: SessionId, counter: int, *, idle_expires_at: datetime, now: datetime
    ) -> Session | None:
        """Spend the refresh token of this number, in one statement: of any number of callers exactly one succeeds.

        Return the session with its next number, last used now, idle until then but never beyond its own end; or None
        where the number was not the current one, the session is not live, or its owner is not active.
        """


class SessionQueries(Protocol):
    """Sessions, for showing them. Sees what is committed."""

    async def live(self, user_id: UserId, *, current: SessionId | None, now: datetime) -> list[SessionView]:
        """Return the user's live sessions, the newest first; `current` is the one that asks."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What signing in needs to know of an account."""

    user_id: UserId
    password_hash: str
    is_active: bool
    version: int
    has_totp: bool
    email_verified: bool


class CredentialQueries(Protocol):
    """Looks up who wants to sign in. Sees what is committed."""

    async def find(self, email: Email) -> Credential | None:
        """Return the credential of the account with this address, or None."""

    async def of(self, user_id: UserId) -> Credential | None:
        """Return the credential of this account, or None."""


class LoginPlaces(Protocol):
    """Where accounts have signed in from. Sees what is committed."""

    async def knows(self, user_id: UserId, place: str) -> bool:
        """Tell whether a session of this account, live or ended, was opened in this place; as fast where none was."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a session may be used, and as what: looked up on each request, so that a change holds at once."""

    user_id: UserId
    role: Role
    is_active: bool
    revoked_at: datetime | None
    expires_at: datetime


class Standings(Protocol):
    """Sessions together with their owners, as they stand."""

    async def find(self, session_id: SessionId) -> Standing | None:
        """Return how the session stands, or None. What is committed, or was at most the cache's time ago."""


class RandomBytes(Protocol):
    """Where secrets come from."""

    def __call__(self, count: int) -> bytes:
        """Return this many bytes that nobody can guess."""


class OneTimeTokenRepository(Protocol):
    """One-time tokens, for changing them."""

    async def issue(self, token: OneTimeToken) -> bool:
        """Store a new token, and make the account's others of its purpose useless. Return whether there is the account.

        For an account that is not there, the same statements run and change nothing.
        """

    async def consume(self, digest: bytes, purpose: TokenPurpose, *, now: datetime) -> OneTimeToken | None:
        """Use a token up, in one statement: of any number of callers exactly one succeeds.

        Return the token; or None where it is unknown, of another purpose, used up, or expired.
        """

    async def revoke_all(self, user_id: UserId, *, now: datetime) -> None:
        """Make all links of the account useless, of whatever purpose a link can have."""


class OneTimeTokenQueries(Protocol):
    """One-time tokens, for looking whether one may be used. Sees what is committed."""

    async def find(self, digest: bytes) -> OneTimeToken | None:
        """Return the token with this digest, live or not, or None."""

"""What authentication asks of storage and of cryptography."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from application.auth.views import ApiKeyView, SessionView
from application.paging import Page, Place
from domain.access import Role, Scope
from domain.auth.api_key import ApiKey
from domain.auth.one_time_token import OneTimeToken, TokenPurpose
from domain.auth.password import Password
from domain.auth.session import Session
from domain.auth.two_factor import MfaChallenge, RecoveryCode, TotpCode, TotpFactor
from domain.ids import ApiKeyId, MfaChallengeId, SessionId, UserId
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


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a valid access token says (RFC 9068)."""

    user_id: UserId
    session_id: SessionId
    expires_at: datetime


class AccessTokens(Protocol):
    """Short-lived, asymmetrically signed tokens that other services can verify from the JWKS."""

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
        """Store when the key retires."""


class SigningKeyMaker(Protocol):
    """Where key pairs come from."""

    def make(self, *, now: datetime, activates_at: datetime) -> SigningKey:
        """Return a new key pair, its private half sealed."""


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


@dataclass(frozen=True, slots=True)
class TotpEnrolment:
    """A new TOTP seed: sealed for storing, and in the two forms in which an authenticator takes it."""

    sealed_seed: bytes
    secret: str
    otpauth_uri: str


class TotpCodes(Protocol):
    """Time-based one-time passwords as authenticators make them: SHA-1, six digits, steps of 30 s (RFC 6238)."""

    def enrol(self, user_id: UserId, *, account: str) -> TotpEnrolment:
        """Return a new seed of 160 random bits; authenticators show it under the name of the account."""

    def step_of(self, factor: TotpFactor, code: TotpCode, *, now: datetime) -> int | None:
        """Return the time step that has this code: the present one, the one before or the one after; or None.

        Where two of them have the same code, the later one. Raises Unavailable if the seed can't be opened.
        """


class TwoFactorRepository(Protocol):
    """TOTP seeds and recovery codes, for changing them."""

    async def find(self, user_id: UserId) -> TotpFactor | None:
        """Return the account's factor as the unit sees it, pending or on, or None."""

    async def begin(self, factor: TotpFactor) -> bool:
        """Store a pending factor in place of an earlier pending one; False where one is on already."""

    async def accept(self, factor: TotpFactor, step: int, *, now: datetime) -> bool:
        """Accept a code of this time step, in one statement: of any number of callers exactly one succeeds.

        The factor is on from then on, since `now` if it was pending. False where it has accepted this step or a later
        one, or is no longer the one that was found.
        """

    async def remove(self, user_id: UserId) -> None:
        """Remove the account's factor and its recovery codes."""

    async def replace_recovery_codes(self, user_id: UserId, codes: list[RecoveryCode]) -> None:
        """Make these the account's only recovery codes."""

    async def use_recovery_code(self, user_id: UserId, code: RecoveryCode, *, now: datetime) -> bool:
        """Use a code up, in one statement: of any number of callers exactly one succeeds. False if it isn't good."""


@dataclass(frozen=True, slots=True)
class AwaitedCode:
    """What is known of a sign-in that waits for its second factor."""

    user_id: UserId
    digest: bytes
    password_hash: str


class MfaChallengeQueries(Protocol):
    """Looks up who waits for a second factor. Sees what is committed."""

    async def find(self, challenge_id: MfaChallengeId) -> AwaitedCode | None:
        """Return the challenge with the present password hash of its account, or None."""


class MfaChallengeRepository(Protocol):
    """Sign-ins that wait for their second factor, for changing them."""

    async def add(self, challenge: MfaChallenge) -> None:
        """Store a new challenge, and remove those of its account that have expired."""

    async def attempt(self, challenge_id: MfaChallengeId, digest: bytes, *, limit: int, now: datetime) -> bool:
        """Count one attempt, in one statement.

        False where the challenge has no such digest, is used or expired, or had as many attempts as the limit.
        """

    async def consume(self, challenge_id: MfaChallengeId, *, now: datetime) -> None:
        """Use the challenge up: no attempt succeeds any more."""


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

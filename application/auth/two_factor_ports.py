"""What the second factor asks of storage and of authenticators."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.auth.two_factor import MfaChallenge, RecoveryCode, TotpCode, TotpFactor
from domain.ids import MfaChallengeId, UserId


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

"""Second factors in memory."""

from dataclasses import dataclass, replace
from datetime import datetime

from adapters.memory.store import MemoryStore, MemoryUnitOfWork
from adapters.memory.users import USERS
from application.auth.two_factor_ports import (
    AwaitedCode,
    MfaChallengeQueries,
    MfaChallengeRepository,
    TwoFactorRepository,
)
from domain.auth.two_factor import MfaChallenge, RecoveryCode, TotpFactor, digest_recovery_code
from domain.ids import MfaChallengeId, UserId
from domain.users.errors import UserNotFound
from domain.users.user import User

TOTP_FACTORS = "totp_factors"
RECOVERY_CODES = "recovery_codes"
MFA_CHALLENGES = "mfa_challenges"


@dataclass(frozen=True, slots=True)
class StoredRecoveryCode:
    """What is kept of a recovery code."""

    user_id: UserId
    digest: bytes
    used_at: datetime | None = None


class MemoryTwoFactorRepository(TwoFactorRepository):
    """TOTP seeds and recovery codes, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork) -> None:
        self._unit = unit

    async def find(self, user_id: UserId) -> TotpFactor | None:
        return (await self._unit.table(TOTP_FACTORS, TotpFactor)).get(user_id)

    async def begin(self, factor: TotpFactor) -> bool:
        await _require_user(self._unit, factor.user_id)
        factors = await self._unit.table(TOTP_FACTORS, TotpFactor)
        stored = factors.get(factor.user_id)
        if stored is not None and stored.is_on:
            return False
        factors.put(factor.user_id, replace(factor, confirmed_at=None, last_step=None))
        return True

    async def accept(self, factor: TotpFactor, step: int, *, now: datetime) -> bool:
        factors = await self._unit.table(TOTP_FACTORS, TotpFactor)
        stored = factors.get(factor.user_id)
        if (
            stored is None
            or stored.sealed_seed != factor.sealed_seed
            or (stored.last_step is not None and stored.last_step >= step)
        ):
            return False
        factors.put(stored.user_id, replace(stored, last_step=step, confirmed_at=stored.confirmed_at or now))
        return True

    async def remove(self, user_id: UserId) -> None:
        (await self._unit.table(TOTP_FACTORS, TotpFactor)).remove(user_id)
        await self._remove_recovery_codes(user_id)

    async def replace_recovery_codes(self, user_id: UserId, codes: list[RecoveryCode]) -> None:
        await _require_user(self._unit, user_id)
        await self._remove_recovery_codes(user_id)
        stored = await self._unit.table(RECOVERY_CODES, StoredRecoveryCode)
        for code in codes:
            digest = digest_recovery_code(code)
            stored.put((user_id, digest), StoredRecoveryCode(user_id, digest))

    async def use_recovery_code(self, user_id: UserId, code: RecoveryCode, *, now: datetime) -> bool:
        stored = await self._unit.table(RECOVERY_CODES, StoredRecoveryCode)
        key = (user_id, digest_recovery_code(code))
        found = stored.get(key)
        if found is None or found.used_at is not None:
            return False
        stored.put(key, replace(found, used_at=now))
        return True

    async def _remove_recovery_codes(self, user_id: UserId) -> None:
        stored = await self._unit.table(RECOVERY_CODES, StoredRecoveryCode)
        for code in stored.rows():
            if code.user_id == user_id:
                stored.remove((user_id, code.digest))


class MemoryMfaChallengeQueries(MfaChallengeQueries):
    """Sign-ins that wait for their second factor, as they are committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def find(self, challenge_id: MfaChallengeId) -> AwaitedCode | None:
        challenge = self._store.table(MFA_CHALLENGES, MfaChallenge).get(challenge_id)
        user = None if challenge is None else self._store.table(USERS, User).get(challenge.user_id)
        if challenge is None or user is None:
            return None
        return AwaitedCode(user.id, challenge.digest, user.password_hash)


class MemoryMfaChallengeRepository(MfaChallengeRepository):
    """Sign-ins that wait for their second factor, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork) -> None:
        self._unit = unit

    async def add(self, challenge: MfaChallenge) -> None:
        await _require_user(self._unit, challenge.user_id)
        challenges = await self._unit.table(MFA_CHALLENGES, MfaChallenge)
        for other in challenges.rows():
            if other.user_id == challenge.user_id and other.expires_at <= challenge.created_at:
                challenges.remove(other.id)
        challenges.put(challenge.id, challenge)

    async def attempt(self, challenge_id: MfaChallengeId, digest: bytes, *, limit: int, now: datetime) -> bool:
        challenges = await self._unit.table(MFA_CHALLENGES, MfaChallenge)
        challenge = challenges.get(challenge_id)
        if (
            challenge is None
            or challenge.digest != digest
            or challenge.consumed_at is not None
            or challenge.expires_at <= now
            or challenge.attempts >= limit
        ):
            return False
        challenges.put(challenge_id, replace(challenge, attempts=challenge.attempts + 1))
        return True

    async def consume(self, challenge_id: MfaChallengeId, *, now: datetime) -> None:
        challenges = await self._unit.table(MFA_CHALLENGES, MfaChallenge)
        challenge = challenges.get(challenge_id)
        if challenge is not None:
            challenges.put(challenge_id, replace(challenge, consumed_at=now))


async def _require_user(unit: MemoryUnitOfWork, user_id: UserId) -> None:
    if (await unit.table(USERS, User)).get(user_id) is None:
        raise UserNotFound

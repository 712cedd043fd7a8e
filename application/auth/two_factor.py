"""The second factor: setting it up, asking for it, and turning it off."""

from dataclasses import dataclass
from datetime import datetime

from application.auth.confirmation import ConfirmPassword
from application.auth.ports import Credential, RandomBytes, SessionRepository
from application.auth.two_factor_ports import (
    MfaChallengeRepository,
    TotpCodes,
    TwoFactorRepository,
)
from application.auth.views import MfaRequired, RecoveryCodes, TotpSecret
from application.outbox import LetterTemplate
from application.ports import AuditLog, Clock, NewId, Outbox, StandingChanges, Throttle, UnitOfWork
from application.throttling import CODE_BY_ACCOUNT
from application.users.ports import UserRepository
from domain.access import Actor, Permission
from domain.audit import AuditAction
from domain.auth.errors import InvalidCode, MfaAlreadyEnabled, MfaNotEnabled, WrongPassword
from domain.auth.two_factor import (
    CHALLENGE_SECRET_BYTES,
    RECOVERY_CODE_BYTES,
    RECOVERY_CODES,
    CodeKind,
    MfaChallenge,
    TotpFactor,
    make_recovery_code,
    parse_recovery_code,
    parse_totp_code,
    show_recovery_code,
)
from domain.ids import MfaChallengeId
from domain.users.user import User


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """What signing in with a password needs to know of the second factor."""

    factors: TwoFactorRepository
    challenges: MfaChallengeRepository
    random_bytes: RandomBytes
    new_id: NewId

    async def is_due(self, user: User, credential: Credential) -> bool:
        """Tell whether the account, which is locked, has a second factor; the credential was looked up before."""
        if user.version == credential.version:
            return credential.has_totp
        # Something was changed while the password was hashed: perhaps this.
        factor = await self.factors.find(user.id)
        return factor is not None and factor.is_on

    async def challenge(self, user: User, *, now: datetime) -> MfaRequired:
        """Store that this sign-in waits for a code, and return the token to come back with."""
        challenge, token = MfaChallenge.open(
            MfaChallengeId(self.new_id()),
            user_id=user.id,
            password_hash=user.password_hash,
            secret=self.random_bytes(CHALLENGE_SECRET_BYTES),
            now=now,
        )
        await self.challenges.add(challenge)
        return MfaRequired(mfa_token=token)


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """Tells good codes from others, and uses the good ones up."""

    factors: TwoFactorRepository
    totp_codes: TotpCodes

    async def accept(self, factor: TotpFactor, code: str, *, now: datetime) -> CodeKind | None:
        """Return as what the code was accepted, or None."""
        if parse_totp_code(code) is not None:
            return CodeKind.TOTP if await self.accept_totp(factor, code, now=now) else None
        recovery_code = parse_recovery_code(code)
        if recovery_code is None or not await self.factors.use_recovery_code(factor.user_id, recovery_code, now=now):
            return None
        return CodeKind.RECOVERY_CODE

    async def accept_totp(self, factor: TotpFactor, code: str, *, now: datetime) -> bool:
        """Tell whether the code is the authenticator's, of a time step that was not accepted before."""
        totp_code = parse_totp_code(code)
        step = None if totp_code is None else self.totp_codes.step_of(factor, totp_code, now=now)
        return step is not None and await self.factors.accept(factor, step, now=now)


@dataclass(frozen=True, slots=True)
class FactorChange:
    """What turning the second factor on and off have in common: the other sessions end, and the owner is told."""

    users: UserRepository
    sessions: SessionRepository
    standing_changes: StandingChanges
    outbox: Outbox
    audit: AuditLog

    async def record(self, actor: Actor, user: User, action: AuditAction, *, now: datetime) -> None:
        """Record that the account's second factor was turned on or off."""
        user.change_second_factor(now=now)
        await self.users.save(user)
        await self.sessions.revoke_all(user.id, now=now, but=actor.session_id)
        await self.standing_changes.announce(user.id)
        await self.outbox.put(_LETTERS[action], recipient=user.email, user_id=user.id, data={})
        await self.audit.record(action, actor_id=actor.user_id, subject_id=user.id, client=actor.client)

    async def record_failure(self, actor: Actor) -> None:
        """Record that a code was wrong."""
        await self.audit.record(
            AuditAction.MFA_FAILED, actor_id=actor.user_id, subject_id=actor.user_id, client=actor.client
        )


_LETTERS = {
    AuditAction.MFA_ENABLED: LetterTemplate.MFA_ENABLED,
    AuditAction.MFA_DISABLED: LetterTemplate.MFA_DISABLED,
}


@dataclass(frozen=True, slots=True)
class BeginTotp:
    """Give the actor a new TOTP seed. It does nothing until a first code confirms it."""

    confirm_password: ConfirmPassword
    users: UserRepository
    factors: TwoFactorRepository
    totp_codes: TotpCodes
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, *, password: str) -> TotpSecret:
        """Return the seed; raises PermissionDenied, WrongPassword, MfaAlreadyEnabled, Limited, Unavailable."""
        actor.require(Permission.CREDENTIALS)
        confirmed = await self.confirm_password(actor.user_id, password, client=actor.client)
        user = await self.users.get(actor.user_id)
        _require_unchanged(user, confirmed)
        enrolment = self.totp_codes.enrol(user.id, account=user.email)
        factor = TotpFactor(user_id=user.id, sealed_seed=enrolment.sealed_seed, created_at=self.clock.now())
        if not await self.factors.begin(factor):
            raise MfaAlreadyEnabled
        await self.unit.commit()
        return TotpSecret(secret=enrolment.secret, otpauth_uri=enrolment.otpauth_uri)


@dataclass(frozen=True, slots=True)
class ConfirmTotp:
    """Turn the second factor on with its first code; with a later one, replace the recovery codes."""

    users: UserRepository
    factors: TwoFactorRepository
    code_check: CodeCheck
    change: FactorChange
    random_bytes: RandomBytes
    audit: AuditLog
    throttle: Throttle
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, *, code: str) -> RecoveryCodes:
        """Return new recovery codes; raises PermissionDenied, MfaNotEnabled, InvalidCode, Limited."""
        actor.require(Permission.CREDENTIALS)
        await self.throttle.take(CODE_BY_ACCOUNT, str(actor.user_id))
        now = self.clock.now()
        user = await self.users.get(actor.user_id)
        factor = await self.factors.find(user.id)
        if factor is None:
            raise MfaNotEnabled
        if not await self.code_check.accept_totp(factor, code, now=now):
            await self.change.record_failure(actor)
            await self.unit.commit()
            raise InvalidCode
        codes = [make_recovery_code(self.random_bytes(RECOVERY_CODE_BYTES)) for _ in range(RECOVERY_CODES)]
        await self.factors.replace_recovery_codes(user.id, codes)
        if factor.is_on:
            await self.audit.record(
                AuditAction.MFA_ENABLED,
                actor_id=actor.user_id,
                subject_id=user.id,
                client=actor.client,
                data={"renewed": "recovery_codes"},
            )
        else:
            await self.change.record(actor, user, AuditAction.MFA_ENABLED, now=now)
        await self.unit.commit()
        return RecoveryCodes(recovery_codes=[show_recovery_code(code) for code in codes])


@dataclass(frozen=True, slots=True)
class DisableTotp:
    """Turn the second factor off, with a code of it or a recovery code."""

    confirm_password: ConfirmPassword
    users: UserRepository
    factors: TwoFactorRepository
    code_check: CodeCheck
    change: FactorChange
    throttle: Throttle
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, *, password: str, code: str) -> None:
        """Turn it off; raises PermissionDenied, WrongPassword, MfaNotEnabled, InvalidCode, Limited, Unavailable."""
        actor.require(Permission.CREDENTIALS)
        await self.throttle.take(CODE_BY_ACCOUNT, str(actor.user_id))
        confirmed = await self.confirm_password(actor.user_id, password, client=actor.client)
        user = await self.users.get(actor.user_id)
        _require_unchanged(user, confirmed)
        now = self.clock.now()
        factor = await self.factors.find(user.id)
        if factor is None or not factor.is_on:
            raise MfaNotEnabled
        if await self.code_check.accept(factor, code, now=now) is None:
            await self.change.record_failure(actor)
            await self.unit.commit()
            raise InvalidCode
        await self.factors.remove(user.id)
        await self.change.record(actor, user, AuditAction.MFA_DISABLED, now=now)
        await self.unit.commit()


def _require_unchanged(user: User, confirmed: Credential) -> None:
    """Raise WrongPassword if the account, locked now, is no longer what the password was confirmed for."""
    if user.password_hash != confirmed.password_hash or not user.is_active:
        raise WrongPassword

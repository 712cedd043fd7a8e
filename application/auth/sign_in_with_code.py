"""The second step of signing in: with a code of the second factor."""

from dataclasses import dataclass

from application.auth.issue import TokenIssuer
from application.auth.opening import SessionOpener
from application.auth.two_factor import CodeCheck
from application.auth.two_factor_ports import (
    AwaitedCode,
    MfaChallengeQueries,
    MfaChallengeRepository,
    TwoFactorRepository,
)
from application.auth.views import Tokens
from application.ports import AuditLog, Clock, Throttle, UnitOfWork
from application.throttling import CODE_BY_ACCOUNT
from application.users.ports import UserRepository
from domain.access import Client
from domain.audit import AuditAction
from domain.auth.errors import InvalidCode, InvalidMfaToken
from domain.auth.two_factor import (
    CHALLENGE_ATTEMPTS,
    CodeKind,
    digest_mfa_token,
    parse_mfa_token,
)
from domain.ids import MfaChallengeId, UserId
from domain.users.errors import UserNotFound
from domain.users.user import User


@dataclass(frozen=True, slots=True)
class SignInWithCode:
    """Open the session that waits for a code of the second factor.

    The token of the first step is good for this only: for five minutes, five codes, one session, and as long as the
    password stays what it was. A wrong code is counted durably although the answer is an error.
    """

    waiting: MfaChallengeQueries
    challenges: MfaChallengeRepository
    users: UserRepository
    factors: TwoFactorRepository
    code_check: CodeCheck
    sessions: SessionOpener
    issuer: TokenIssuer
    audit: AuditLog
    throttle: Throttle
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, *, mfa_token: str, code: str, client: Client) -> Tokens:
        """Return the session's first tokens; raises InvalidMfaToken, InvalidCode, Limited, Unavailable."""
        challenge_id, awaited = await self._find(mfa_token)
        await self.throttle.take(CODE_BY_ACCOUNT, str(awaited.user_id))
        now = self.clock.now()
        user = await self._lock(awaited.user_id)
        digest = digest_mfa_token(mfa_token, password_hash=user.password_hash)
        if not await self.challenges.attempt(challenge_id, digest, limit=CHALLENGE_ATTEMPTS, now=now):
            raise InvalidMfaToken
        factor = await self.factors.find(user.id)
        if factor is None or not factor.is_on:
            raise InvalidMfaToken
        kind = await self.code_check.accept(factor, code, now=now)
        if kind is None:
            await self.audit.record(AuditAction.MFA_FAILED, actor_id=None, subject_id=user.id, client=client)
            await self.unit.commit()
            raise InvalidCode
        await self.challenges.consume(challenge_id, now=now)
        session = await self.sessions.open(user.id, client=client)
        if kind is CodeKind.RECOVERY_CODE:
            await self.audit.record(AuditAction.RECOVERY_CODE_USED, actor_id=user.id, subject_id=user.id, client=client)
        await self.audit.record(
            AuditAction.LOGIN_SUCCEEDED,
            actor_id=user.id,
            subject_id=user.id,
            client=client,
            data={"session_id": str(session.id), "code": kind},
        )
        await self.unit.commit()
        return await self.issuer.issue(session, now=now)

    async def _find(self, mfa_token: str) -> tuple[MfaChallengeId, AwaitedCode]:
        challenge_id = parse_mfa_token(mfa_token)
        awaited = None if challenge_id is None else await self.waiting.find(challenge_id)
        if (
            challenge_id is None
            or awaited is None
            or awaited.digest != digest_mfa_token(mfa_token, password_hash=awaited.password_hash)
        ):
            raise InvalidMfaToken
        return challenge_id, awaited

    async def _lock(self, user_id: UserId) -> User:
        try:
            user = await self.users.get(user_id)
        except UserNotFound:
            raise InvalidMfaToken from None
        if not user.is_active:
            raise InvalidMfaToken
        return user

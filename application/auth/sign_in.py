"""Signing in with a password."""

from dataclasses import dataclass

from application.auth.issue import TokenIssuer
from application.auth.login_guard import LoginGuard, LoginSubject
from application.auth.opening import SessionOpener
from application.auth.ports import CredentialQueries, PasswordHasher
from application.auth.registration import RegistrationPolicy
from application.auth.two_factor import SecondFactor
from application.auth.views import MfaRequired, Tokens
from application.ports import AuditLog, Clock, UnitOfWork
from application.users.ports import UserRepository
from domain.access import Client
from domain.audit import AuditAction
from domain.auth.errors import InvalidCredentials
from domain.auth.password import PASSWORD_MAX, normalize_password
from domain.users.errors import UserNotFound


@dataclass(frozen=True, slots=True)
class SignIn:
    """Open a session for whoever knows the password.

    An unknown address, a wrong password and a deactivated account cost the same work and get the same answer
    (ASVS 5.0 6.3.8). No transaction is open while the password is hashed, and nothing is hashed that was not counted.
    """

    guard: LoginGuard
    audit: AuditLog
    credentials: CredentialQueries
    users: UserRepository
    sessions: SessionOpener
    passwords: PasswordHasher
    issuer: TokenIssuer
    registration: RegistrationPolicy
    second_factor: SecondFactor
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, *, email: str, password: str, client: Client) -> Tokens | MfaRequired:
        """Return the session's first tokens, or where a second factor is on, the token to come back with its code.

        Raises InvalidCredentials, Limited, Unavailable.
        """
        await self.guard.admit_place(client)
        subject = LoginSubject.read(email)
        credential = None if subject.address is None else await self.credentials.find(subject.address)
        admission = await self.guard.admit(subject, credential, client=client)
        # Cut where it can't be right any more, so that hashing costs the same: a character is at most 4 code points.
        secret = normalize_password(password[: 4 * PASSWORD_MAX + 1])
        check = await self.passwords.check(secret, credential.password_hash if credential else None)
        # An account that was signed up for and whose address is not proved yet is like none.
        if (
            credential is None
            or not check.is_right
            or not credential.is_active
            or not self.registration.admits(email_verified=credential.email_verified)
        ):
            await self.guard.failed(credential, client=client)
            raise InvalidCredentials
        await self.guard.succeeded(admission)
        rehashed = await self.passwords.hash(secret) if check.is_outdated else None

        try:
            user = await self.users.get(credential.user_id)
        except UserNotFound:
            await self.guard.failed(None, client=client)
            raise InvalidCredentials from None
        # The account is locked now. What was checked before must still hold, or a session would outlive a password
        # change or a deactivation that happened while the hash was computed.
        if user.password_hash != credential.password_hash or not user.is_active:
            await self.guard.failed(credential, client=client)
            raise InvalidCredentials
        now = self.clock.now()
        if rehashed is not None:
            user.rehash_password(rehashed, now=now)
            await self.users.save(user)
        if await self.second_factor.is_due(user, credential):
            challenge = await self.second_factor.challenge(user, now=now)
            await self.unit.commit()
            return challenge
        session = await self.sessions.open(user.id, client=client)
        await self.audit.record(
            AuditAction.LOGIN_SUCCEEDED,
            actor_id=user.id,
            subject_id=user.id,
            client=client,
            data={"session_id": str(session.id)},
        )
        await self.unit.commit()
        return await self.issuer.issue(session, now=now)

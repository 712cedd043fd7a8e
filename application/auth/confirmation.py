"""Asking again for the password of who is signed in already (ASVS 5.0 7.5.1)."""

from dataclasses import dataclass

from application.auth.ports import Credential, CredentialQueries, PasswordHasher
from application.ports import AuditLog, Throttle, UnitOfWork
from application.throttling import PASSWORD_BY_ACCOUNT
from domain.access import Client
from domain.audit import AuditAction
from domain.auth.errors import WrongPassword
from domain.auth.password import PASSWORD_MAX, normalize_password
from domain.ids import UserId


@dataclass(frozen=True, slots=True)
class ConfirmPassword:
    """Find out whether somebody knows the password of an account. To be called before the unit has begun.

    Tries are counted per account, so that who has only a session, or a letter, can't guess; wrong ones are recorded.
    """

    credentials: CredentialQueries
    passwords: PasswordHasher
    throttle: Throttle
    audit: AuditLog
    unit: UnitOfWork

    async def __call__(self, user_id: UserId, password: str, *, client: Client) -> Credential:
        """Return the account's credential; raises WrongPassword, Limited, Unavailable.

        Compare its hash, and what else matters, again under the account's lock: it may have changed meanwhile.
        """
        await self.throttle.take(PASSWORD_BY_ACCOUNT, str(user_id))
        credential = await self.credentials.of(user_id)
        # Cut where it can't be right any more, as in signing in: a character is at most 4 code points.
        secret = normalize_password(password[: 4 * PASSWORD_MAX + 1])
        check = await self.passwords.check(secret, credential.password_hash if credential else None)
        if credential is None or not check.is_right or not credential.is_active:
            await self.audit.record(
                AuditAction.LOGIN_FAILED,
                actor_id=None,
                subject_id=user_id,
                client=client,
                data={"at": "password confirmation"},
            )
            await self.unit.commit()
            raise WrongPassword
        return credential

"""Changing a password that is known, and replacing one that is not."""

from dataclasses import dataclass

from application.auth.confirmation import ConfirmPassword
from application.auth.letters import LinkLetters
from application.auth.policy import PasswordPolicy
from application.auth.ports import (
    CredentialQueries,
    OneTimeTokenQueries,
    OneTimeTokenRepository,
    PasswordHasher,
    SessionRepository,
)
from application.outbox import LetterTemplate
from application.ports import AuditLog, Clock, NewId, Outbox, StandingChanges, Throttle, UnitOfWork
from application.throttling import MAIL_BY_ACCOUNT, MAIL_BY_ADDRESS, place_of
from application.users.ports import UserQueries, UserRepository
from domain.access import Actor, Client, Permission
from domain.audit import AuditAction
from domain.auth.errors import InvalidLink, WrongPassword
from domain.auth.one_time_token import TokenPurpose, digest_of
from domain.ids import UserId
from domain.users.email import parse_email
from domain.users.errors import UserNotFound


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Take another password, knowing the present one. Every other session ends, and so does every link under way."""

    users: UserRepository
    user_queries: UserQueries
    sessions: SessionRepository
    tokens: OneTimeTokenRepository
    confirm_password: ConfirmPassword
    passwords: PasswordHasher
    policy: PasswordPolicy
    standing_changes: StandingChanges
    outbox: Outbox
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, *, current_password: str, new_password: str) -> None:
        """Change it; raises PermissionDenied, Invalid, WrongPassword, Limited, Unavailable."""
        actor.require(Permission.CREDENTIALS)
        account = await self.user_queries.get(actor.user_id)
        secret = self.policy.parse(new_password, email=account.email, full_name=account.full_name, field="new_password")
        credential = await self.confirm_password(actor.user_id, current_password, client=actor.client)
        password_hash = await self.passwords.hash(secret)

        user = await self.users.get(actor.user_id)
        if user.password_hash != credential.password_hash or not user.is_active:
            raise WrongPassword
        now = self.clock.now()
        user.change_password(password_hash, now=now)
        await self.users.save(user)
        await self.sessions.revoke_all(user.id, but=actor.session_id, now=now)
        await self.tokens.revoke_all(user.id, now=now)
        await self.standing_changes.announce(user.id)
        await self.outbox.put(LetterTemplate.PASSWORD_CHANGED, recipient=user.email, user_id=user.id, data={})
        await self.audit.record(
            AuditAction.PASSWORD_CHANGED, actor_id=actor.user_id, subject_id=user.id, client=actor.client
        )
        await self.unit.commit()


@dataclass(frozen=True, slots=True)
class ForgetPassword:
    """Send a link for choosing a new password, if there is an active account with this address.

    Whether there is one can be seen neither in the answer nor in the time it takes: the same statements run for an
    address without an account, all but the letter's (ASVS 5.0 6.3.8). The link goes to the address as it is stored,
    never as it was typed (CVE-2019-19844).
    """

    credentials: CredentialQueries
    letters: LinkLetters
    throttle: Throttle
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock
    new_id: NewId

    async def __call__(self, *, email: str, client: Client) -> None:
        """Send it; raises Invalid for what is no address, Limited, Unavailable."""
        address = parse_email(email)
        await self.throttle.take(MAIL_BY_ADDRESS, place_of(client.ip))
        await self.throttle.take(MAIL_BY_ACCOUNT, address)
        credential = await self.credentials.find(address)
        is_known = credential is not None and credential.is_active

        user_id = credential.user_id if credential is not None and is_known else UserId(self.new_id())
        await self.letters.send(TokenPurpose.RESET_PASSWORD, user_id=user_id, email=address, now=self.clock.now())
        await self.audit.record(
            AuditAction.PASSWORD_RESET_REQUESTED,
            actor_id=None,
            subject_id=user_id if is_known else None,
            client=client,
        )
        await self.unit.commit()


@dataclass(frozen=True, slots=True)
class ResetPassword:
    """Choose a new password with a link that was sent to the account's address.

    Every session ends and every other link is useless. Nobody is signed in by this, and a second factor stays on
    (ASVS 5.0 6.4.3). That the letter arrived proves the address.
    """

    users: UserRepository
    user_queries: UserQueries
    sessions: SessionRepository
    tokens: OneTimeTokenRepository
    token_queries: OneTimeTokenQueries
    passwords: PasswordHasher
    policy: PasswordPolicy
    standing_changes: StandingChanges
    outbox: Outbox
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, *, token: str, new_password: str, client: Client) -> None:
        """Set it; raises InvalidLink, Invalid, Unavailable."""
        digest = digest_of(token)
        found = await self.token_queries.find(digest)
        if found is None or found.purpose is not TokenPurpose.RESET_PASSWORD or not found.is_live(self.clock.now()):
            raise InvalidLink
        try:
            account = await self.user_queries.get(found.user_id)
        except UserNotFound:
            raise InvalidLink from None
        secret = self.policy.parse(new_password, email=account.email, full_name=account.full_name, field="new_password")
        password_hash = await self.passwords.hash(secret)

        try:
            user = await self.users.get(found.user_id)
        except UserNotFound:
            raise InvalidLink from None
        now = self.clock.now()
        used = await self.tokens.consume(digest, TokenPurpose.RESET_PASSWORD, now=now)
        if used is None or used.email != user.email or not user.is_active:
            raise InvalidLink
        was_verified = user.email_verified
        user.change_password(password_hash, now=now)
        user.verify_email(now=now)
        await self.users.save(user)
        await self.sessions.revoke_all(user.id, now=now)
        await self.tokens.revoke_all(user.id, now=now)
        await self.standing_changes.announce(user.id)
        await self.outbox.put(LetterTemplate.PASSWORD_CHANGED, recipient=user.email, user_id=user.id, data={})
        await self.audit.record(AuditAction.PASSWORD_RESET, actor_id=user.id, subject_id=user.id, client=client)
        if not was_verified:
            await self.audit.record(
                AuditAction.USER_EMAIL_VERIFIED, actor_id=user.id, subject_id=user.id, client=client
            )
        await self.unit.commit()

"""Proving that an address is one's own, and changing to another."""

from dataclasses import dataclass

from application.auth.confirmation import ConfirmPassword
from application.auth.letters import LinkLetters
from application.auth.ports import CredentialQueries, OneTimeTokenQueries, OneTimeTokenRepository
from application.outbox import LetterTemplate
from application.ports import AuditLog, Clock, Outbox, Throttle, UnitOfWork
from application.throttling import MAIL_BY_ACCOUNT, MAIL_BY_ADDRESS, place_of
from application.users.ports import UserQueries, UserRepository
from domain.access import Actor, Client, Permission
from domain.audit import AuditAction
from domain.auth.errors import InvalidLink, WrongPassword
from domain.auth.one_time_token import TokenPurpose, digest_of
from domain.errors import FieldError, Invalid
from domain.users.email import parse_email
from domain.users.errors import UserNotFound


@dataclass(frozen=True, slots=True)
class SendVerification:
    """Send the actor once more the link that proves their address; one that is proved already needs none."""

    users: UserQueries
    letters: LinkLetters
    throttle: Throttle
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor) -> None:
        """Send it; raises PermissionDenied, Limited, Unavailable."""
        actor.require(Permission.CREDENTIALS)
        user = await self.users.get(actor.user_id)
        await self.throttle.take(MAIL_BY_ADDRESS, place_of(actor.client.ip))
        await self.throttle.take(MAIL_BY_ACCOUNT, user.email)
        if not user.email_verified:
            await self.letters.send(TokenPurpose.VERIFY_EMAIL, user_id=user.id, email=user.email, now=self.clock.now())
            await self.unit.commit()


@dataclass(frozen=True, slots=True)
class RequestEmailChange:
    """Ask for another address. It becomes the account's once the link sent there is used; the present one is told.

    An address that is taken looks no different to who asks: its owner is told, and no link leaves.
    """

    users: UserQueries
    credentials: CredentialQueries
    confirm_password: ConfirmPassword
    letters: LinkLetters
    outbox: Outbox
    throttle: Throttle
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, *, email: str, password: str) -> None:
        """Ask for it; raises PermissionDenied, Invalid, WrongPassword, Limited, Unavailable."""
        actor.require(Permission.CREDENTIALS)
        address = parse_email(email)
        user = await self.users.get(actor.user_id)
        if address == user.email:
            raise Invalid(FieldError("email", "is the address that the account has already"))
        await self.throttle.take(MAIL_BY_ADDRESS, place_of(actor.client.ip))
        await self.throttle.take(MAIL_BY_ACCOUNT, address)
        await self.confirm_password(actor.user_id, password, client=actor.client)
        taken_by = await self.credentials.find(address)

        now = self.clock.now()
        if taken_by is None:
            await self.letters.send(TokenPurpose.CHANGE_EMAIL, user_id=user.id, email=address, now=now)
        else:
            await self.letters.send_already_registered(
                TokenPurpose.CHANGE_EMAIL, user_id=user.id, email=address, owner_id=taken_by.user_id, now=now
            )
        await self.outbox.put(
            LetterTemplate.EMAIL_CHANGE_REQUESTED,
            recipient=user.email,
            user_id=user.id,
            data={"new_email": address},
        )
        await self.audit.record(
            AuditAction.USER_EMAIL_CHANGE_REQUESTED, actor_id=user.id, subject_id=user.id, client=actor.client
        )
        await self.unit.commit()


@dataclass(frozen=True, slots=True)
class ConfirmEmail:
    """Prove an address with the link that was sent there: the account's own, or the one it is to have.

    Where a password is given, it must be the account's: then the mailbox and the account are one person's. Portico's
    own pages always ask for it, so that nobody confirms an account that somebody else made with their address.
    """

    users: UserRepository
    tokens: OneTimeTokenRepository
    token_queries: OneTimeTokenQueries
    confirm_password: ConfirmPassword
    outbox: Outbox
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, *, token: str, password: str | None = None, client: Client) -> None:
        """Prove it; raises InvalidLink, WrongPassword, EmailTaken if somebody else has it by now, Limited, Unavailable.

        A wrong password does not use the link up.
        """
        digest = digest_of(token)
        found = await self.token_queries.find(digest)
        if found is None or found.purpose is TokenPurpose.RESET_PASSWORD or not found.is_live(self.clock.now()):
            raise InvalidLink
        credential = None
        if password is not None:
            credential = await self.confirm_password(found.user_id, password, client=client)

        try:
            user = await self.users.get(found.user_id)
        except UserNotFound:
            raise InvalidLink from None
        if credential is not None and user.password_hash != credential.password_hash:
            raise WrongPassword
        now = self.clock.now()
        used = await self.tokens.consume(digest, found.purpose, now=now)
        if used is None or used.email is None or not user.is_active:
            raise InvalidLink
        former = user.email
        if used.purpose is TokenPurpose.CHANGE_EMAIL:
            user.change_email(used.email, now=now)
        elif used.email != former:
            raise InvalidLink
        user.verify_email(now=now)
        await self.users.save(user)
        await self.tokens.revoke_all(user.id, now=now)
        if used.purpose is TokenPurpose.CHANGE_EMAIL:
            await self.outbox.put(
                LetterTemplate.EMAIL_CHANGED, recipient=former, user_id=user.id, data={"new_email": user.email}
            )
        action = (
            AuditAction.USER_EMAIL_CHANGED
            if used.purpose is TokenPurpose.CHANGE_EMAIL
            else AuditAction.USER_EMAIL_VERIFIED
        )
        await self.audit.record(action, actor_id=user.id, subject_id=user.id, client=client)
        await self.unit.commit()

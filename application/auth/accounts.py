"""Changing and removing accounts, where sessions are concerned: deactivating, demoting, erasing."""

from dataclasses import dataclass

from application.auth.confirmation import ConfirmPassword
from application.auth.letters import LinkLetters
from application.auth.ports import OneTimeTokenRepository, PasswordHasher, SessionRepository
from application.outbox import LetterTemplate
from application.ports import AuditLog, Clock, Outbox, StandingChanges, UnitOfWork
from application.unset import UNSET, Unset
from application.users.ports import UserRepository
from application.users.views import UserView, view_of
from application.versions import UNCONDITIONAL, Precondition
from domain.access import Actor, Client, Permission, Role
from domain.audit import AuditAction
from domain.auth.errors import WrongPassword
from domain.auth.one_time_token import TokenPurpose
from domain.auth.password import PASSWORD_FLOOR, parse_password
from domain.ids import UserId
from domain.users.email import Email, parse_email
from domain.users.errors import LastAdmin
from domain.users.user import FullName, User, parse_full_name


@dataclass(frozen=True, slots=True)
class EditUser:
    """Change anybody's account: what is unset stays, and None clears the name.

    A new address counts at once and as not verified: a link to prove it is sent there, the old one is told, and links
    that were under way are useless. A change of role holds for sessions that are open. Deactivating ends them. The last
    active administrator can be neither demoted nor deactivated, whoever else is at the same moment.
    """

    users: UserRepository
    sessions: SessionRepository
    tokens: OneTimeTokenRepository
    letters: LinkLetters
    outbox: Outbox
    standing_changes: StandingChanges
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(
        self,
        actor: Actor,
        user_id: UserId,
        *,
        full_name: str | Unset | None = UNSET,
        email: str | Unset = UNSET,
        role: Role | Unset = UNSET,
        is_active: bool | Unset = UNSET,
        precondition: Precondition = UNCONDITIONAL,
    ) -> UserView:
        """Return the account as it is now.

        Raises PermissionDenied, Invalid, UserNotFound, Stale, EmailTaken, LastAdmin.
        """
        actor.require(Permission.USERS_WRITE)
        name = None if full_name is UNSET or full_name is None else parse_full_name(full_name)
        address = None if email is UNSET else parse_email(email)
        admins = await self.users.lock_active_admins() if role is Role.MEMBER or is_active is False else frozenset()
        user = await self.users.get(user_id)
        precondition.check(user.version)
        before = view_of(user)
        self._change(
            user,
            full_name=user.full_name if full_name is UNSET else name,
            email=address or user.email,
            role=user.role if role is UNSET else role,
            is_active=user.is_active if is_active is UNSET else is_active,
        )
        if user.version == before.version:
            return before
        if before.role is Role.ADMIN and before.is_active and not user.is_active_admin:
            _refuse_losing_the_last(admins, user.id)
        await self.users.save(user)
        await self._tell(before, user)
        await self._record(actor, before, user)
        await self.unit.commit()
        return view_of(user)

    def _change(self, user: User, *, full_name: FullName | None, email: Email, role: Role, is_active: bool) -> None:
        now = self.clock.now()
        if full_name != user.full_name:
            user.rename(full_name, now=now)
        if email != user.email:
            user.change_email(email, now=now)
        if role is not user.role:
            user.change_role(role, now=now)
        if is_active is not user.is_active:
            if is_active:
                user.activate(now=now)
            else:
                user.deactivate(now=now)

    async def _tell(self, before: UserView, user: User) -> None:
        """End what may go on no longer, and tell whom it concerns."""
        now = self.clock.now()
        if before.is_active and not user.is_active:
            await self.sessions.revoke_all(user.id, now=now)
            await self.tokens.revoke_all(user.id, now=now)
        if (before.role, before.is_active) != (user.role, user.is_active):
            await self.standing_changes.announce(user.id)
        if before.email != user.email:
            await self.tokens.revoke_all(user.id, now=now)
            await self.letters.send(TokenPurpose.VERIFY_EMAIL, user_id=user.id, email=user.email, now=now)
            await self.outbox.put(
                LetterTemplate.EMAIL_CHANGED,
                recipient=before.email,
                user_id=user.id,
                data={"new_email": user.email},
            )

    async def _record(self, actor: Actor, before: UserView, user: User) -> None:
        actions: list[tuple[AuditAction, dict[str, str]]] = []
        if before.full_name != user.full_name:
            actions.append((AuditAction.USER_RENAMED, {}))
        if before.email != user.email:
            actions.append((AuditAction.USER_EMAIL_CHANGED, {}))
        if before.role is not user.role:
            actions.append((AuditAction.USER_ROLE_CHANGED, {"from": before.role.value, "to": user.role.value}))
        if before.is_active is not user.is_active:
            actions.append((AuditAction.USER_ACTIVATED if user.is_active else AuditAction.USER_DEACTIVATED, {}))
        for action, data in actions:
            await self.audit.record(action, actor_id=actor.user_id, subject_id=user.id, client=actor.client, data=data)


@dataclass(frozen=True, slots=True)
class Eraser:
    """Removes an account for good, with all that is its own; the audit keeps ids, and nothing that tells whose."""

    users: UserRepository
    outbox: Outbox
    standing_changes: StandingChanges
    audit: AuditLog
    unit: UnitOfWork

    async def erase(
        self,
        user_id: UserId,
        *,
        actor_id: UserId,
        client: Client,
        precondition: Precondition = UNCONDITIONAL,
        expected_hash: str | None = None,
    ) -> None:
        """Remove it; raises UserNotFound, Stale, LastAdmin, and WrongPassword if the hash is not the expected one."""
        admins = await self.users.lock_active_admins()
        user = await self.users.get(user_id)
        precondition.check(user.version)
        if expected_hash is not None and (user.password_hash != expected_hash or not user.is_active):
            raise WrongPassword
        if user.is_active_admin:
            _refuse_losing_the_last(admins, user.id)
        await self.users.delete(user)
        # Without the id, or the letter would be removed with the account.
        await self.outbox.put(LetterTemplate.ACCOUNT_DELETED, recipient=user.email, user_id=None, data={})
        await self.standing_changes.announce(user.id)
        await self.audit.forget(user.id)
        await self.audit.record(AuditAction.USER_DELETED, actor_id=actor_id, subject_id=user.id, client=client)
        await self.unit.commit()


@dataclass(frozen=True, slots=True)
class EraseUser:
    """Erase anybody's account."""

    eraser: Eraser

    async def __call__(self, actor: Actor, user_id: UserId, *, precondition: Precondition = UNCONDITIONAL) -> None:
        """Erase it; raises PermissionDenied, UserNotFound, Stale, LastAdmin."""
        actor.require(Permission.USERS_WRITE)
        # Who erases themselves must not stay in the audit with their address.
        client = Client() if user_id == actor.user_id else actor.client
        await self.eraser.erase(user_id, actor_id=actor.user_id, client=client, precondition=precondition)


@dataclass(frozen=True, slots=True)
class EraseProfile:
    """Erase the actor's own account, if they know its password: a token that somebody found must not suffice."""

    eraser: Eraser
    confirm_password: ConfirmPassword

    async def __call__(self, actor: Actor, *, password: str) -> None:
        """Erase it; raises PermissionDenied, WrongPassword, Limited, LastAdmin, Unavailable."""
        actor.require(Permission.CREDENTIALS)
        credential = await self.confirm_password(actor.user_id, password, client=actor.client)
        # The password may have been changed while it was checked: who only knows the old one erases nothing.
        await self.eraser.erase(
            actor.user_id, actor_id=actor.user_id, client=Client(), expected_hash=credential.password_hash
        )


@dataclass(frozen=True, slots=True)
class ReplacePassword:
    """Give an account another password, which ends its sessions and links: for who operates the server only.

    What a second factor protects stays protected.
    """

    users: UserRepository
    sessions: SessionRepository
    tokens: OneTimeTokenRepository
    passwords: PasswordHasher
    outbox: Outbox
    standing_changes: StandingChanges
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, user_id: UserId, *, password: str) -> None:
        """Replace it; raises PermissionDenied, Invalid, UserNotFound, Unavailable."""
        actor.require(Permission.USERS_WRITE)
        password_hash = await self.passwords.hash(parse_password(password, shortest=PASSWORD_FLOOR))
        user = await self.users.get(user_id)
        now = self.clock.now()
        user.change_password(password_hash, now=now)
        await self.users.save(user)
        await self.sessions.revoke_all(user.id, now=now)
        await self.tokens.revoke_all(user.id, now=now)
        await self.standing_changes.announce(user.id)
        await self.outbox.put(LetterTemplate.PASSWORD_CHANGED, recipient=user.email, user_id=user.id, data={})
        await self.audit.record(
            AuditAction.PASSWORD_RESET, actor_id=actor.user_id, subject_id=user.id, client=actor.client
        )
        await self.unit.commit()


def _refuse_losing_the_last(admins: frozenset[UserId], lost: UserId) -> None:
    if not admins - {lost}:
        raise LastAdmin

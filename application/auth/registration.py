"""How accounts come to be."""

from dataclasses import dataclass, field
from enum import StrEnum

from application.auth.letters import LinkLetters
from application.auth.policy import PasswordPolicy
from application.auth.ports import CredentialQueries, PasswordHasher
from application.ports import AuditLog, Clock, NewId, Throttle, UnitOfWork
from application.throttling import MAIL_BY_ACCOUNT, MAIL_BY_ADDRESS, SIGNUP_BY_ADDRESS, place_of
from application.users.ports import UserRepository
from application.users.views import UserView, view_of
from domain.access import Actor, Client, Permission, Role
from domain.audit import AuditAction
from domain.auth.one_time_token import TokenPurpose
from domain.auth.password import Password
from domain.ids import UserId
from domain.users.email import Email, parse_email
from domain.users.errors import EmailTaken, SignupClosed
from domain.users.user import FullName, User, parse_full_name


class SignupMode(StrEnum):
    """Who may make an account."""

    OPEN = "open"
    VERIFIED = "verified"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class RegistrationPolicy:
    """What the owner of the installation decided about new accounts."""

    signup: SignupMode

    def admits(self, *, email_verified: bool) -> bool:
        """Tell whether an account with such an address may sign in."""
        return email_verified or self.signup is not SignupMode.VERIFIED


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who is to have an account: what they gave, once it is known to be valid."""

    email: Email
    password: Password = field(repr=False)
    full_name: FullName | None


@dataclass(frozen=True, slots=True)
class Registrar:
    """Drafts accounts: the part that signing up and creating for somebody else have in common."""

    passwords: PasswordHasher
    password_policy: PasswordPolicy
    clock: Clock
    new_id: NewId

    def admit(self, *, email: str, password: str, full_name: str | None) -> Applicant:
        """Return the applicant; raises Invalid."""
        address = parse_email(email)
        name = None if full_name is None else parse_full_name(full_name)
        return Applicant(address, self.password_policy.parse(password, email=address, full_name=name), name)

    async def draft(self, applicant: Applicant, *, role: Role = Role.MEMBER, email_verified: bool) -> User:
        """Return the new account, not stored yet; raises Unavailable."""
        password_hash = await self.passwords.hash(applicant.password)
        now = self.clock.now()
        return User(
            id=UserId(self.new_id()),
            email=applicant.email,
            full_name=applicant.full_name,
            password_hash=password_hash,
            role=role,
            is_active=True,
            email_verified=email_verified,
            created_at=now,
            updated_at=now,
        )


@dataclass(frozen=True, slots=True)
class SignUp:
    """Make an account for whoever asks, as far as sign-up is open.

    ==========  ======================================  =================================================
    sign-up     an address without an account           one with an account
    ==========  ======================================  =================================================
    `open`      the account; a link to prove the        EmailTaken
                address
    `verified`  nothing to see; the account is made,    nothing to see: the same work, the same time; its
                and can be signed in to once the link   owner is told by mail, and the account stays as
                proved the address                      it is
    `closed`    SignupClosed                            SignupClosed
    ==========  ======================================  =================================================

    A sign-up never changes an account that exists, proved or not: who makes one with somebody else's address gains
    nothing. The owner of the address takes it over by choosing a new password, which ends all that was there before.
    """

    registrar: Registrar
    policy: RegistrationPolicy
    credentials: CredentialQueries
    users: UserRepository
    letters: LinkLetters
    throttle: Throttle
    audit: AuditLog
    unit: UnitOfWork

    async def __call__(
        self, *, email: str, password: str, full_name: str | None = None, client: Client
    ) -> UserView | None:
        """Return the new account, or None where it must not be told whether there is one.

        Raises SignupClosed, Invalid, EmailTaken, Limited, Unavailable.
        """
        if self.policy.signup is SignupMode.CLOSED:
            raise SignupClosed
        applicant = self.registrar.admit(email=email, password=password, full_name=full_name)
        place = place_of(client.ip)
        await self.throttle.take(SIGNUP_BY_ADDRESS, place)
        if self.policy.signup is SignupMode.VERIFIED:
            # Here strangers can have letters sent to an address again and again; with `open`, once.
            await self.throttle.take(MAIL_BY_ADDRESS, place)
            await self.throttle.take(MAIL_BY_ACCOUNT, applicant.email)
        user = await self.registrar.draft(applicant, email_verified=False)
        if self.policy.signup is SignupMode.OPEN:
            await self._store(user, client)
            return view_of(user)

        owner = await self.credentials.find(user.email)
        if owner is not None:
            await self.letters.send_already_registered(
                TokenPurpose.VERIFY_EMAIL,
                user_id=user.id,
                email=user.email,
                owner_id=owner.user_id,
                now=user.created_at,
            )
            await self.audit.record(
                AuditAction.USER_REGISTERED_AGAIN, actor_id=None, subject_id=owner.user_id, client=client
            )
            await self.unit.commit()
            return None
        try:
            await self._store(user, client)
        except EmailTaken:
            # Somebody took the address since it was looked up, and its owner has a letter about it this very moment.
            return None
        return None

    async def _store(self, user: User, client: Client) -> None:
        await self.users.add(user)
        await self.letters.send(TokenPurpose.VERIFY_EMAIL, user_id=user.id, email=user.email, now=user.created_at)
        await self.audit.record(
            AuditAction.USER_REGISTERED, actor_id=user.id, subject_id=user.id, client=client, data={"role": user.role}
        )
        await self.unit.commit()


@dataclass(frozen=True, slots=True)
class CreateUser:
    """Make an account for somebody else, of any role, whether or not sign-up is open.

    Who makes it vouches for the address, so that it can be signed in to with `verified` sign-up too.
    """

    registrar: Registrar
    users: UserRepository
    audit: AuditLog
    unit: UnitOfWork

    async def __call__(
        self, actor: Actor, *, email: str, password: str, full_name: str | None = None, role: Role = Role.MEMBER
    ) -> UserView:
        """Return the new account; raises PermissionDenied, Invalid, EmailTaken, Unavailable."""
        actor.require(Permission.USERS_WRITE)
        applicant = self.registrar.admit(email=email, password=password, full_name=full_name)
        user = await self.registrar.draft(applicant, role=role, email_verified=True)
        await self.users.add(user)
        await self.audit.record(
            AuditAction.USER_CREATED,
            actor_id=actor.user_id,
            subject_id=user.id,
            client=actor.client,
            data={"role": role},
        )
        await self.unit.commit()
        return view_of(user)

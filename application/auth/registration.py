"""How accounts come to be."""

from dataclasses import dataclass
from enum import StrEnum

from application.auth.ports import PasswordHasher
from application.ports import AuditLog, Clock, NewId, Throttle, UnitOfWork
from application.throttling import SIGNUP_BY_ADDRESS, place_of
from application.users.ports import UserRepository
from application.users.views import UserView, view_of
from domain.access import Actor, Client, Permission, Role
from domain.audit import AuditAction
from domain.auth.password import parse_password
from domain.ids import UserId
from domain.users.email import parse_email
from domain.users.errors import SignupClosed
from domain.users.user import User, parse_full_name


class SignupMode(StrEnum):
    """Who may make an account."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class RegistrationPolicy:
    """What the owner of the installation decided about new accounts."""

    signup: SignupMode
    password_shortest: int
    """In code points."""


@dataclass(frozen=True, slots=True)
class Registrar:
    """Makes accounts: the part that signing up and creating for somebody else have in common."""

    users: UserRepository
    passwords: PasswordHasher
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock
    new_id: NewId
    policy: RegistrationPolicy

    async def register(
        self, *, email: str, password: str, full_name: str | None, role: Role, client: Client, by: UserId | None = None
    ) -> UserView:
        """Return the new account, made by another one or by its own owner; raises Invalid, EmailTaken, Unavailable."""
        address = parse_email(email)
        name = None if full_name is None else parse_full_name(full_name)
        secret = parse_password(password, shortest=self.policy.password_shortest)
        password_hash = await self.passwords.hash(secret)
        now = self.clock.now()
        user = User(
            id=UserId(self.new_id()),
            email=address,
            full_name=name,
            password_hash=password_hash,
            role=role,
            is_active=True,
            email_verified=False,
            created_at=now,
            updated_at=now,
        )
        await self.users.add(user)
        await self.audit.record(
            AuditAction.USER_REGISTERED if by is None else AuditAction.USER_CREATED,
            actor_id=by or user.id,
            subject_id=user.id,
            client=client,
            data={"role": role},
        )
        await self.unit.commit()
        return view_of(user)


@dataclass(frozen=True, slots=True)
class SignUp:
    """Make an account for whoever asks, while sign-up is open."""

    registrar: Registrar
    policy: RegistrationPolicy
    throttle: Throttle

    async def __call__(self, *, email: str, password: str, full_name: str | None = None, client: Client) -> UserView:
        """Return the new account; raises SignupClosed, Limited, Invalid, EmailTaken, Unavailable."""
        if self.policy.signup is SignupMode.CLOSED:
            raise SignupClosed
        await self.throttle.take(SIGNUP_BY_ADDRESS, place_of(client.ip))
        return await self.registrar.register(
            email=email, password=password, full_name=full_name, role=Role.MEMBER, client=client
        )


@dataclass(frozen=True, slots=True)
class CreateUser:
    """Make an account for somebody else, of any role, whether or not sign-up is open."""

    registrar: Registrar

    async def __call__(
        self, actor: Actor, *, email: str, password: str, full_name: str | None = None, role: Role = Role.MEMBER
    ) -> UserView:
        """Return the new account; raises PermissionDenied, Invalid, EmailTaken, Unavailable."""
        actor.require(Permission.USERS_WRITE)
        return await self.registrar.register(
            email=email, password=password, full_name=full_name, role=role, client=actor.client, by=actor.user_id
        )

"""Valid things of every kind. A test names only the facts that it is about."""

from datetime import datetime
from itertools import count
from uuid import UUID

from adapters.ids import UuidV7
from application.auth.signing_ports import SigningKey
from domain.access import Actor, Client, Role
from domain.auth.session import Session
from domain.ids import ItemId, SessionId, UserId
from domain.items.item import Item, parse_description, parse_tags, parse_title
from domain.users.email import parse_email
from domain.users.user import User, parse_full_name
from tests.clock import NOW

PASSWORD = "correct horse battery staple"
"""Long enough for every setting."""

SECRET_KEY = "dGhlIHRlc3RzIG9mIHBvcnRpY28gYWxsIHNoYXJlIGl0"
"""What PORTICO_SECRET_KEY is in tests."""

A_DAY_LATER = NOW.replace(day=2)
A_MONTH_LATER = NOW.replace(month=4)

_new_id = UuidV7()
_numbers = count(1)


def an_id() -> UUID:
    """Return a new id."""
    return _new_id()


def an_email() -> str:
    """Return an address that no other builder returns."""
    return f"somebody-{next(_numbers)}@example.org"


def a_user(
    *,
    id: UUID | None = None,  # noqa: A002 - named as the field is
    email: str | None = None,
    full_name: str | None = None,
    password_hash: str = "no password has this hash",  # noqa: S107 - true to its words
    role: Role = Role.MEMBER,
    is_active: bool = True,
    created_at: datetime = NOW,
    version: int = 1,
) -> User:
    """Return an account that nobody can sign in to."""
    return User(
        id=UserId(id or an_id()),
        email=parse_email(email or an_email()),
        full_name=None if full_name is None else parse_full_name(full_name),
        password_hash=password_hash,
        role=role,
        is_active=is_active,
        email_verified=False,
        created_at=created_at,
        updated_at=created_at,
        version=version,
    )


def an_item(
    owner: User | UserId,
    *,
    id: UUID | None = None,  # noqa: A002 - named as the field is
    title: str = "Milk",
    description: str | None = None,
    tags: tuple[str, ...] = (),
    created_at: datetime = NOW,
    updated_at: datetime | None = None,
) -> Item:
    """Return an item of this owner."""
    return Item(
        id=ItemId(id or an_id()),
        owner_id=owner.id if isinstance(owner, User) else owner,
        title=parse_title(title),
        description=None if description is None else parse_description(description),
        tags=parse_tags(tags),
        created_at=created_at,
        updated_at=updated_at or created_at,
    )


def a_session(
    owner: User | UserId,
    *,
    counter: int = 1,
    created_at: datetime = NOW,
    idle_expires_at: datetime = A_DAY_LATER,
    expires_at: datetime = A_MONTH_LATER,
    revoked_at: datetime | None = None,
    client: Client | None = None,
) -> Session:
    """Return a session that is live now."""
    client = client or Client()
    return Session(
        id=SessionId(an_id()),
        user_id=owner.id if isinstance(owner, User) else owner,
        counter=counter,
        created_at=created_at,
        last_used_at=created_at,
        idle_expires_at=idle_expires_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        ip=client.ip,
        user_agent=client.user_agent,
    )


def an_actor(user: User | None = None, *, session: Session | None = None) -> Actor:
    """Return the actor that this account is, signed in."""
    user = user or a_user()
    return Actor.member_of(user.role, user_id=user.id, session_id=session.id if session else SessionId(an_id()))


def an_admin() -> Actor:
    """Return an actor who may do all that an account may."""
    return an_actor(a_user(role=Role.ADMIN))


def a_powerless_actor() -> Actor:
    """Return an actor who is known and may do nothing."""
    return Actor(user_id=UserId(an_id()), permissions=frozenset())


def a_signing_key(kid: str = "kid-1", *, created_at: datetime = NOW, retires_at: datetime | None = None) -> SigningKey:
    """Return a key for storing; it signs nothing."""
    return SigningKey(
        kid=kid,
        public_jwk="{}",
        sealed_private_key=b"\x00sealed\xff",
        created_at=created_at,
        activates_at=created_at,
        retires_at=retires_at,
    )

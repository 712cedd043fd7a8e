"""How an account is shown, to REST clients and on the command line alike."""

from dataclasses import dataclass
from datetime import datetime

from domain.access import Role
from domain.ids import UserId
from domain.users.email import Email
from domain.users.user import User


@dataclass
class UserView:
    """An account, without its secrets. Not frozen: those are built six times slower, and reads are hot."""

    id: UserId
    email: Email
    full_name: str | None
    role: Role
    is_active: bool
    email_verified: bool
    created_at: datetime
    updated_at: datetime
    version: int


def view_of(user: User) -> UserView:
    """Show an account that was just changed."""
    return UserView(
        id=user.id,
        email=user.email,
        full_name=user.full_name,
        role=user.role,
        is_active=user.is_active,
        email_verified=user.email_verified,
        created_at=user.created_at,
        updated_at=user.updated_at,
        version=user.version,
    )

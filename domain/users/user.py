"""A user account."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from domain.access import Role
from domain.ids import UserId
from domain.text import parse_line
from domain.users.email import Email

FullName = NewType("FullName", str)

FULL_NAME_MAX = 200


def parse_full_name(text: str) -> FullName:
    """One line of 1 to 200 characters; raises Invalid."""
    return FullName(parse_line(text, field="full_name", longest=FULL_NAME_MAX))


@dataclass(slots=True, kw_only=True)
class User:
    """Somebody who can sign in. Changed by its verbs only; each makes it the next version of what was loaded."""

    id: UserId
    email: Email
    full_name: FullName | None
    password_hash: str
    role: Role
    is_active: bool
    email_verified: bool
    created_at: datetime
    updated_at: datetime
    version: int = 1
    _loaded_version: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._loaded_version = self.version

    def rename(self, full_name: FullName | None, *, now: datetime) -> None:
        """Take another name, or none."""
        self.full_name = full_name
        self._changed(now)

    def change_email(self, email: Email, *, now: datetime) -> None:
        """Take another address, which nobody has proved to be theirs yet."""
        self.email = email
        self.email_verified = False
        self._changed(now)

    def verify_email(self, *, now: datetime) -> None:
        """Have proved that the address is one's own."""
        self.email_verified = True
        self._changed(now)

    def change_password(self, password_hash: str, *, now: datetime) -> None:
        """Sign in with another password from now on."""
        self.password_hash = password_hash
        self._changed(now)

    def change_role(self, role: Role, *, now: datetime) -> None:
        """Become an account of another kind."""
        self.role = role
        self._changed(now)

    def activate(self, *, now: datetime) -> None:
        """Be allowed to sign in."""
        self.is_active = True
        self._changed(now)

    def deactivate(self, *, now: datetime) -> None:
        """Be kept, and no longer be allowed to sign in."""
        self.is_active = False
        self._changed(now)

    @property
    def is_active_admin(self) -> bool:
        """Whether this is one of those who can administer."""
        return self.is_active and self.role is Role.ADMIN

    def rehash_password(self, password_hash: str, *, now: datetime) -> None:
        """Store the same password under a costlier hash."""
        self.password_hash = password_hash
        self._changed(now)

    def change_second_factor(self, *, now: datetime) -> None:
        """Take note that its second factor was turned on or off, so that a sign-in under way looks again."""
        self._changed(now)

    def _changed(self, now: datetime) -> None:
        self.updated_at = now
        self.version = self._loaded_version + 1

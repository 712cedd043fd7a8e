"""What the owner of the installation decided about passwords, and what nobody may have."""

from collections.abc import Container
from dataclasses import dataclass

from domain.auth.password import Password, parse_password
from domain.users.email import Email

PRODUCT = "portico"


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """Judges new passwords, alike wherever one is set."""

    shortest: int
    """In code points."""
    common: Container[str]
    """Passwords in lower case that many people have."""

    def parse(self, text: str, *, email: Email, full_name: str | None, field: str = "password") -> Password:
        """Return the new password of this account; raises Invalid, naming the field."""
        about = (PRODUCT, email.partition("@")[0], email.partition("@")[2].rpartition(".")[0], full_name or "")
        return parse_password(text, shortest=self.shortest, field=field, common=self.common, about=about)

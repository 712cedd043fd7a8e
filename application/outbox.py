"""Letters on their way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.ids import UserId
from domain.users.email import Email


class LetterTemplate(StrEnum):
    """Which letter. Each has a text and an HTML form of the same name."""

    VERIFY_EMAIL = "verify_email"
    ALREADY_REGISTERED = "already_registered"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a letter's name, not a secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - likewise
    CONFIRM_NEW_EMAIL = "confirm_new_email"
    EMAIL_CHANGE_REQUESTED = "email_change_requested"
    EMAIL_CHANGED = "email_changed"
    MFA_ENABLED = "mfa_enabled"
    MFA_DISABLED = "mfa_disabled"
    ACCOUNT_DELETED = "account_deleted"


class LetterStatus(StrEnum):
    """How far a letter has got."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter in the outbox. `data` is what fills the template; it is gone once the letter was sent."""

    id: UUID
    user_id: UserId | None
    recipient: Email
    template: LetterTemplate
    data: Mapping[str, str] | None
    status: LetterStatus
    attempts: int
    next_attempt_at: datetime
    leased_until: datetime | None
    lease: int
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None


class Sealer(Protocol):
    """Keeps what is stored from being read out of the database alone."""

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Return the sealed plaintext, which only the same context opens."""

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return the plaintext of something sealed here."""

"""Letters on their way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from application.paging import Order, Page, Place
from domain.errors import Conflict, NotFound
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


LETTER_DATA: Mapping[LetterTemplate, frozenset[str]] = {
    LetterTemplate.VERIFY_EMAIL: frozenset({"link"}),
    LetterTemplate.ALREADY_REGISTERED: frozenset({"link"}),
    LetterTemplate.RESET_PASSWORD: frozenset({"link"}),
    LetterTemplate.PASSWORD_CHANGED: frozenset(),
    LetterTemplate.CONFIRM_NEW_EMAIL: frozenset({"link"}),
    LetterTemplate.EMAIL_CHANGE_REQUESTED: frozenset({"new_email"}),
    LetterTemplate.EMAIL_CHANGED: frozenset({"new_email"}),
    LetterTemplate.MFA_ENABLED: frozenset(),
    LetterTemplate.MFA_DISABLED: frozenset(),
    LetterTemplate.ACCOUNT_DELETED: frozenset(),
}
"""What each letter has to be given.

======================  ===========  =====================================================================
letter                  data         who gets it, and what the data are
======================  ===========  =====================================================================
verify_email            `link`       a new account; `link` confirms its address
already_registered      `link`       who signs up with a known address; `link` is where to ask for a reset
reset_password          `link`       who forgot their password; `link` is where to choose a new one
password_changed                     the account, afterwards
confirm_new_email       `link`       the NEW address; `link` confirms it
email_change_requested  `new_email`  the OLD address, at once
email_changed           `new_email`  the OLD address, once the new one is confirmed
mfa_enabled                          the account, afterwards
mfa_disabled                         the account, afterwards
account_deleted                      the address that the account had; leave it without a `user_id`
======================  ===========  =====================================================================

A `link` is complete: the public URL, a fixed path, and the token in the fragment. Nothing else goes into a letter.
"""

ABOUT_NOBODY = frozenset({LetterTemplate.ACCOUNT_DELETED})
"""Letters to who is here no longer. They are removed once there is nothing left to try: not even an address stays."""


def check_data(template: LetterTemplate, data: Mapping[str, str]) -> None:
    """Raise ValueError unless these are the data of that letter: a letter that lacks some could never be written."""
    if data.keys() != LETTER_DATA[template]:
        raise ValueError(f"{template} takes {sorted(LETTER_DATA[template])}, and was given {sorted(data)}")


class LetterStatus(StrEnum):
    """How far a letter has got."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter in the outbox.

    `data` is what fills the template: None once the letter was sent, and where it can't be unsealed. `attempts` counts
    the tries that began. `lease` numbers the claims, so that of two relays which hold the same letter the later counts.
    """

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


class Unsealable(Exception):
    """This was sealed with another secret, or has been tampered with."""


class Sealer(Protocol):
    """Keeps what is stored from being read out of the database alone."""

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Return the sealed plaintext, which only the same context opens."""

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return the plaintext of something sealed here. Raises Unsealable."""


class LetterNotFound(NotFound):
    """There is no such letter."""

    detail = "There is no letter with this id. Those that were sent are kept for seven days."


class LetterAlreadySent(Conflict):
    """This letter was sent."""

    code = "letter_already_sent"
    detail = "What a letter said is deleted once it was sent, so it can't be sent again."


@dataclass(frozen=True, slots=True)
class LetterView:
    """A letter as operators see it: never what it says."""

    id: UUID
    user_id: UserId | None
    recipient: Email
    template: LetterTemplate
    status: LetterStatus
    attempts: int
    next_attempt_at: datetime
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None


class LetterSort(StrEnum):
    """By what a list of letters can be sorted."""

    CREATED_AT = "created_at"


class LetterQueries(Protocol):
    """Letters, for showing them. Sees what is committed."""

    async def get(self, letter_id: UUID) -> LetterView:
        """Return the letter. Raises LetterNotFound."""

    async def page(
        self, status: LetterStatus | None, *, order: Order[LetterSort], limit: int, after: Place | None
    ) -> Page[LetterView]:
        """Return up to `limit` letters of this status, or of any, in this order, behind the place."""


class LetterQueue(Protocol):
    """The outbox as relays see it. Each call is a unit of its own, and any number of relays may call at once."""

    async def claim(self, *, limit: int, now: datetime, until: datetime) -> Sequence[Letter]:
        """Lease up to `limit` pending letters that are due and that nobody holds, those that are due longest first.

        Each claim counts as an attempt. Until `until` no other relay gets the letters; thereafter the claim is as if
        its relay had died, and the next one gets a higher `lease`.
        """

    async def mark_sent(self, letter: Letter, *, now: datetime) -> bool:
        """Note that the letter left, and delete what it says. False, and nothing done, if another claim came after.

        A letter about nobody is removed instead, here and when it is dead.
        """

    async def mark_failed(self, letter: Letter, *, error: str, next_attempt_at: datetime) -> bool:
        """Note why it did not leave, and when to try again. False, and nothing done, if another claim came after."""

    async def mark_dead(self, letter: Letter, *, error: str) -> bool:
        """Note why it won't be tried again. False, and nothing done, if another claim came after."""

    async def retry(self, letter_id: UUID, *, now: datetime) -> bool:
        """Make the letter due now, as if it were new; a claim that is held becomes void. False if it was sent."""


class MailBell(Protocol):
    """What tells the relay of this process that there is mail; others look for themselves every few seconds."""

    def ring(self) -> None:
        """Have the relay look at once: if it is not listening now, then when it next does."""

    async def listen(self, seconds: float) -> None:
        """Return when it rings, or after that time."""

"""Delivering letters, at least once each, and looking after those that can't be delivered."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from application.outbox import (
    Letter,
    LetterAlreadySent,
    LetterQueries,
    LetterQueue,
    LetterSort,
    LetterStatus,
    LetterTemplate,
    LetterView,
    MailBell,
)
from application.paging import Order, Page, Place
from application.ports import Clock
from domain.access import Actor, Permission
from domain.errors import Conflict, Unavailable
from domain.users.email import Email

BATCH = 4
"""Letters that a relay claims together and sends at the same time; providers bear few connections of one client."""

LEASE = timedelta(seconds=60)
SEND_DEADLINE = timedelta(seconds=30)
"""Well within the lease, so that a relay that lives never sends what another has claimed since."""

BACKOFF = timedelta(seconds=10)
"""Before the second try; it doubles with each further one. Twelve tries take almost six hours."""

BACKOFF_SPREAD = 0.2
"""By which part of it each wait is longer or shorter, so that what failed together does not come back together."""

TRIES = 12
TRIES_WHEN_REFUSED = 3
REASON_MAX = 500
"""Characters kept of why a letter did not leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A letter, written. However often it is sent, it has the same id and date, so receivers can tell it is one."""

    id: UUID
    recipient: Email
    subject: str
    text: str
    html: str
    created_at: datetime


class MailDelayed(Unavailable):
    """The message could not be handed over now."""

    code = "mail_delayed"


class MailRefused(Conflict):
    """The message was refused for good."""

    code = "mail_refused"


class LetterUnwritable(Conflict):
    """The letter can't be written."""

    code = "letter_unwritable"


class Mailer(Protocol):
    """Where messages leave Portico."""

    async def send(self, message: Message) -> None:
        """Hand the message over; returns once somebody else has taken responsibility for it.

        Raises MailDelayed if another try may succeed, and MailRefused if it was this message, or its recipient, that
        was refused. What is wrong with the mail server, its certificate or our password is a delay.
        """


class LetterWriter(Protocol):
    """What turns a letter's data into words."""

    def write(self, letter: Letter) -> Message:
        """Return the message, in which the data stand literally. Raises LetterUnwritable."""


class Jitter(Protocol):
    """Chance."""

    def __call__(self) -> float:
        """Return a number from 0 up to, not including, 1."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one try ended. `reason` tells why the letter did not leave, and names no address."""

    letter_id: UUID
    template: LetterTemplate
    attempts: int
    status: LetterStatus
    reason: str | None
    is_noted: bool
    """Whether the outbox says so too; it does not if somebody else claimed the letter meanwhile, or it was removed."""


@dataclass(frozen=True, slots=True)
class DeliverLetters:
    """Deliver some of the letters that are due.

    ========================================  ===================================
    what happened                             what becomes of the letter
    ========================================  ===================================
    it was handed over                        sent, and what it says deleted
    the server can't be reached or is busy    tried 12 times, then dead
    it was refused for good                   tried 3 times, then dead
    it can't be written or unsealed           dead
    the relay died during each of 12 tries    dead
    ========================================  ===================================
    """

    queue: LetterQueue
    writer: LetterWriter
    mailer: Mailer
    clock: Clock
    jitter: Jitter

    async def __call__(self) -> Sequence[Delivery]:
        """Return how each of them fared, none if none is due; raises Unavailable, once all have been tried."""
        now = self.clock.now()
        letters = await self.queue.claim(limit=BATCH, now=now, until=now + LEASE)
        outcomes = await asyncio.gather(*map(self._deliver, letters), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]

    async def _deliver(self, letter: Letter) -> Delivery:
        failure = await self._send(letter)
        now = self.clock.now()
        if failure is None:
            is_noted = await self.queue.mark_sent(letter, now=now)
            return Delivery(letter.id, letter.template, letter.attempts, LetterStatus.SENT, None, is_noted)
        reason = _reason(failure, letter.recipient)
        if letter.attempts >= _tries(failure):
            is_noted = await self.queue.mark_dead(letter, error=reason)
            return Delivery(letter.id, letter.template, letter.attempts, LetterStatus.DEAD, reason, is_noted)
        next_attempt_at = now + backoff(letter.attempts, chance=self.jitter())
        is_noted = await self.queue.mark_failed(letter, error=reason, next_attempt_at=next_attempt_at)
        return Delivery(letter.id, letter.template, letter.attempts, LetterStatus.PENDING, reason, is_noted)

    async def _send(self, letter: Letter) -> MailDelayed | MailRefused | LetterUnwritable | None:
        if letter.attempts > TRIES:
            return MailDelayed(f"None of {TRIES} tries came to an end.")
        try:
            message = self.writer.write(letter)
            async with asyncio.timeout(SEND_DEADLINE.total_seconds()):
                await self.mailer.send(message)
        except TimeoutError:
            return MailDelayed(f"It took more than {SEND_DEADLINE.seconds} seconds.")
        except (MailDelayed, MailRefused, LetterUnwritable) as failure:
            return failure
        return None


def backoff(attempts: int, *, chance: float) -> timedelta:
    """Return how long to wait after this many tries; `chance` is from 0 up to 1."""
    spread: float = 1 + BACKOFF_SPREAD * (2 * chance - 1)
    return BACKOFF * (1 << (attempts - 1)) * spread


def _tries(failure: MailDelayed | MailRefused | LetterUnwritable) -> int:
    match failure:
        case MailDelayed():
            return TRIES
        case MailRefused():
            return TRIES_WHEN_REFUSED
        case LetterUnwritable():
            return 1


def _reason(failure: Exception, recipient: Email) -> str:
    """Return on one line what failed. Mail servers like to repeat the address, and logs are no place for it."""
    line = "".join(character if character.isprintable() else " " for character in str(failure))
    return re.sub(re.escape(recipient), "(the recipient)", line, flags=re.IGNORECASE)[:REASON_MAX]


@dataclass(frozen=True, slots=True)
class ListLetters:
    """List the letters in the outbox."""

    letters: LetterQueries

    async def __call__(
        self,
        actor: Actor,
        *,
        status: LetterStatus | None = None,
        order: Order[LetterSort],
        limit: int,
        after: Place | None = None,
    ) -> Page[LetterView]:
        """Return a page of letters; raises PermissionDenied."""
        actor.require(Permission.MAIL)
        return await self.letters.page(status, order=order, limit=limit, after=after)


@dataclass(frozen=True, slots=True)
class ShowLetter:
    """Show a letter in the outbox, but not what it says."""

    letters: LetterQueries

    async def __call__(self, actor: Actor, letter_id: UUID) -> LetterView:
        """Return the letter; raises PermissionDenied, LetterNotFound."""
        actor.require(Permission.MAIL)
        return await self.letters.get(letter_id)


@dataclass(frozen=True, slots=True)
class RetryLetter:
    """Try a letter again, now, as if it had not been tried before."""

    letters: LetterQueries
    queue: LetterQueue
    clock: Clock
    bell: MailBell

    async def __call__(self, actor: Actor, letter_id: UUID) -> LetterView:
        """Return the letter as it is now; raises PermissionDenied, LetterNotFound, LetterAlreadySent."""
        actor.require(Permission.MAIL)
        await self.letters.get(letter_id)
        if not await self.queue.retry(letter_id, now=self.clock.now()):
            raise LetterAlreadySent
        self.bell.ring()
        return await self.letters.get(letter_id)

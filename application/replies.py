"""Replies that are kept, so that a request which comes again is answered alike and does nothing twice.

The terms are those of draft-ietf-httpapi-idempotency-key-header-07.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from domain.errors import Conflict, FieldError, Invalid
from domain.ids import UserId

REPLY_KEPT = timedelta(hours=24)
CLAIM_LEASE = timedelta(seconds=60)
"""For how long a request that has a key and no reply yet is believed to be still running."""


class IdempotencyKeyReused(Invalid):
    """This idempotency key was used for something else."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(FieldError("header/Idempotency-Key", "was sent with another request; make a new one"))


class IdempotencyInProgress(Conflict):
    """The first request with this idempotency key is still running."""

    code = "idempotency_in_progress"
    detail = "The first request with this key has no reply yet. Wait, then send the same request again."
    retry_after = 1
    """Seconds to wait."""


@dataclass(frozen=True, slots=True)
class ReplyKey:
    """What names a request that may come again: who sends it, to what, and by which name they call it."""

    caller: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, as it is sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Replies(Protocol):
    """Kept replies, and claims on those to come. One request claims at most one key, and then keeps or abandons it."""

    async def claim(self, key: ReplyKey, fingerprint: bytes, *, owner_id: UserId | None) -> Reply | None:
        """Return the reply that is kept; without one, claim the key, and hold back what this unit commits.

        Of many at once one gets the claim. It is a unit of its own, so that others see it at once; it ends with
        CLAIM_LEASE, should the process die. Replies are forgotten after REPLY_KEPT, or with the owner's account.
        Raises IdempotencyKeyReused if the key stands for another fingerprint, IdempotencyInProgress while another
        request has the claim, and UserNotFound without the owner.
        """

    async def keep(self, reply: Reply, *, owner_id: UserId | None) -> None:
        """Commit what this unit did together with the reply to it, as one transaction.

        Commits nothing and raises IdempotencyInProgress if the claim has ended and another request has it now, and
        UserNotFound without the owner.
        """

    async def abandon(self) -> None:
        """Give the claim up, so that the request may be repeated; what the unit has committed so far becomes true."""

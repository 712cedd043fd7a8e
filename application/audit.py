"""Reading the audit trail: page by page for people, and link by link to see that nobody has changed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from application.paging import Page, Place
from domain.access import Actor, Permission
from domain.audit import AuditAction, AuditLink, Flaw, flaw_of
from domain.ids import UserId

BATCH = 500
"""Links that are looked at together: memory stays constant, however long the trail is."""


@dataclass
class AuditEventView:
    """An event. `action` is one of the stable names, also one that only another version of Portico knows."""

    id: UUID
    action: str
    actor_id: UserId | None
    subject_id: UUID | None
    ip: str | None
    user_agent: str | None
    created_at: datetime
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events to list; None does not filter. `since` includes its own moment."""

    actor_id: UserId | None = None
    action: AuditAction | None = None
    since: datetime | None = None


class AuditSort(StrEnum):
    """By what events are sorted."""

    CREATED_AT = "created_at"


class AuditQueries(Protocol):
    """The audit trail, for looking at it. Sees what is committed."""

    async def page(self, which: AuditFilter, *, limit: int, after: Place | None) -> Page[AuditEventView]:
        """Return up to `limit` events, the newest first, behind the place."""

    async def links(self, *, after: int, limit: int) -> Sequence[AuditLink | int]:
        """Return up to `limit` links behind a position, in their order; of an unreadable one only the position."""


@dataclass(frozen=True, slots=True)
class ListAuditEvents:
    """List what is in the audit trail."""

    events: AuditQueries

    async def __call__(
        self, actor: Actor, which: AuditFilter, *, limit: int, after: Place | None = None
    ) -> Page[AuditEventView]:
        """Return a page of events, the newest first; raises PermissionDenied."""
        actor.require(Permission.AUDIT_READ)
        return await self.events.page(which, limit=limit, after=after)


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """The first link that does not hold."""

    position: int
    flaw: Flaw


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """How the trail was found. `head` is the hash of its last event: kept elsewhere, it proves later what was there."""

    events: int
    head: str | None
    broken: BrokenLink | None
    lacks_anchor: bool
    """Whether the event with the expected hash is missing: the end of the trail was cut off, or all of it replaced."""


@dataclass(frozen=True, slots=True)
class VerifyAuditTrail:
    """Walk the chain from its beginning, and find the first link that does not hold.

    Whoever can write to the database could cut off the end, or write a whole new trail. That shows only against a
    hash that was kept elsewhere, the anchor: the event that had it must still be there.
    """

    events: AuditQueries

    async def __call__(self, actor: Actor, *, anchor: str | None = None) -> AuditVerdict:
        """Return what was found, in constant memory; raises PermissionDenied."""
        actor.require(Permission.AUDIT_READ)
        last: tuple[int, bytes] | None = None
        count, lacks_anchor = 0, anchor is not None
        while links := await self.events.links(after=last[0] if last else 0, limit=BATCH):
            for link in links:
                broken = _broken(link, last)
                if broken is not None or isinstance(link, int):
                    return AuditVerdict(count, _head(last), broken, lacks_anchor)
                last = (link.event.position, link.hash)
                lacks_anchor = lacks_anchor and link.hash.hex() != anchor
                count += 1
        return AuditVerdict(count, _head(last), None, lacks_anchor)


def _broken(link: AuditLink | int, last: tuple[int, bytes] | None) -> BrokenLink | None:
    if isinstance(link, int):
        return BrokenLink(link, Flaw.UNREADABLE)
    flaw = flaw_of(link, last=last)
    return None if flaw is None else BrokenLink(link.event.position, flaw)


def _head(last: tuple[int, bytes] | None) -> str | None:
    return None if last is None else last[1].hex()

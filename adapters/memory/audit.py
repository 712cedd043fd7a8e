"""The audit trail in memory."""

import json
import os
from collections.abc import Mapping, Sequence
from uuid import UUID

from adapters.memory.paging import page_of
from adapters.memory.store import MemoryStore, MemoryUnitOfWork
from application.audit import AuditEventView, AuditFilter, AuditQueries, AuditSort
from application.paging import Order, Page, Place
from application.ports import AuditLog, Clock, NewId
from domain.access import Client
from domain.audit import SALT_BYTES, AuditAction, AuditLink
from domain.ids import UserId

AUDIT_EVENTS = "audit_events"


class MemoryAuditLog(AuditLog):
    """The audit trail, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork, clock: Clock, new_id: NewId) -> None:
        self._unit = unit
        self._clock = clock
        self._new_id = new_id

    async def record(
        self,
        action: AuditAction,
        *,
        actor_id: UserId | None,
        subject_id: UUID | None,
        client: Client,
        data: Mapping[str, str] | None = None,
    ) -> None:
        links = await self._unit.table(AUDIT_EVENTS, AuditLink)
        last = links.get(len(links))  # positions are 1, 2, 3 …, and none is ever removed
        link = AuditLink.following(
            None if last is None else (last.event.position, last.hash),
            action,
            id=self._new_id(),
            actor_id=actor_id,
            subject_id=subject_id,
            client=client,
            data=data or {},
            salt=os.urandom(SALT_BYTES),
            now=self._clock.now(),
        )
        links.put(link.event.position, link)

    async def forget(self, user_id: UserId) -> None:
        links = await self._unit.table(AUDIT_EVENTS, AuditLink)
        for link in links.rows():
            if user_id in (link.event.actor_id, link.event.subject_id):
                links.put(link.event.position, link.forgetful())


class MemoryAuditQueries(AuditQueries):
    """The audit trail, as it is committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def page(self, which: AuditFilter, *, limit: int, after: Place | None) -> Page[AuditEventView]:
        return page_of(
            (link for link in self._store.table(AUDIT_EVENTS, AuditLink).values() if _matches(link, which)),
            _view,
            key=lambda link: link.event.created_at,
            tie_break=lambda link: link.event.id,
            order=Order(AuditSort.CREATED_AT, descending=True),
            limit=limit,
            after=after,
        )

    async def links(self, *, after: int, limit: int) -> Sequence[AuditLink | int]:
        links = self._store.table(AUDIT_EVENTS, AuditLink)
        return [links[position] for position in sorted(links) if position > after][:limit]


def _matches(link: AuditLink, which: AuditFilter) -> bool:
    return (
        (which.actor_id is None or link.event.actor_id == which.actor_id)
        and (which.action is None or link.event.action == which.action)
        and (which.since is None or link.event.created_at >= which.since)
    )


def _view(link: AuditLink) -> AuditEventView:
    return AuditEventView(
        id=link.event.id,
        action=link.event.action,
        actor_id=link.event.actor_id,
        subject_id=link.event.subject_id,
        ip=link.client.ip,
        user_agent=link.client.user_agent,
        created_at=link.event.created_at,
        data=json.loads(link.event.data),
    )

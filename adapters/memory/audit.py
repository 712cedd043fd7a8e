"""The audit trail in memory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from adapters.memory.store import MemoryUnitOfWork
from application.ports import AuditLog, Clock, NewId
from domain.access import Client
from domain.audit import GENESIS, AuditAction, AuditEvent, digest_client
from domain.ids import UserId

AUDIT_EVENTS = "audit_events"
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with what can be forgotten of it, and its hash."""

    event: AuditEvent
    client: Client
    salt: bytes | None
    hash: bytes


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
        events = await self._unit.table(AUDIT_EVENTS, StoredEvent)
        last = max(events.rows(), key=lambda stored: stored.event.position, default=None)
        salt = os.urandom(_SALT_BYTES)
        event = AuditEvent(
            position=1 if last is None else last.event.position + 1,
            id=self._new_id(),
            action=action,
            actor_id=actor_id,
            subject_id=subject_id,
            client_digest=digest_client(client, salt),
            created_at=self._clock.now(),
            data=data or {},
            previous_hash=GENESIS if last is None else last.hash,
        )
        events.put(event.position, StoredEvent(event, client, salt, event.chain_hash()))

    async def forget(self, user_id: UserId) -> None:
        events = await self._unit.table(AUDIT_EVENTS, StoredEvent)
        for stored in events.rows():
            if user_id in (stored.event.actor_id, stored.event.subject_id):
                events.put(stored.event.position, replace(stored, client=Client(), salt=None))

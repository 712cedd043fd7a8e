"""What is stored about an account, in memory."""

import json

from adapters.memory.api_keys import API_KEYS
from adapters.memory.audit import AUDIT_EVENTS
from adapters.memory.outbox import LETTERS
from adapters.memory.sessions import SESSIONS
from adapters.memory.store import MemoryStore
from adapters.memory.two_factor import TOTP_FACTORS
from application.auth.export import PersonalDataQueries, StoredApiKey, StoredEvent, StoredLetter, StoredSession
from application.outbox import Letter
from domain.audit import AuditLink
from domain.auth.session import Session
from domain.ids import UserId


class MemoryPersonalDataQueries(PersonalDataQueries):
    """What is stored about an account, as it is committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def has_totp(self, user_id: UserId) -> bool:
        factors = self._store.tables.get(TOTP_FACTORS, {})
        return any(factor.user_id == user_id and factor.confirmed_at is not None for factor in factors.values())

    async def sessions(self, user_id: UserId) -> list[StoredSession]:
        sessions = [row for row in self._store.table(SESSIONS, Session).values() if row.user_id == user_id]
        return [
            StoredSession(
                session.id,
                session.created_at,
                session.last_used_at,
                session.idle_expires_at,
                session.expires_at,
                session.revoked_at,
                session.ip,
                session.user_agent,
            )
            for session in sorted(sessions, key=lambda session: (session.created_at, session.id))
        ]

    async def api_keys(self, user_id: UserId) -> list[StoredApiKey]:
        keys = [row for row in self._store.tables.get(API_KEYS, {}).values() if row.owner_id == user_id]
        return [
            StoredApiKey(
                key.id,
                key.name,
                key.prefix,
                sorted(key.scopes),
                key.created_at,
                key.expires_at,
                key.last_used_at,
                key.revoked_at,
            )
            for key in sorted(keys, key=lambda key: (key.created_at, key.id))
        ]

    async def letters(self, user_id: UserId) -> list[StoredLetter]:
        letters = [row for row in self._store.table(LETTERS, Letter).values() if row.user_id == user_id]
        return [
            StoredLetter(letter.id, letter.template, letter.recipient, letter.status, letter.created_at, letter.sent_at)
            for letter in sorted(letters, key=lambda letter: (letter.created_at, letter.id))
        ]

    async def events(self, user_id: UserId, *, limit: int, after: int) -> list[StoredEvent]:
        found = [
            row
            for row in self._store.table(AUDIT_EVENTS, AuditLink).values()
            if user_id in (row.event.actor_id, row.event.subject_id) and row.event.position > after
        ]
        return [_view(row, user_id) for row in sorted(found, key=lambda row: row.event.position)[:limit]]


def _view(row: AuditLink, user_id: UserId) -> StoredEvent:
    event = row.event
    is_others = event.actor_id is not None and event.actor_id != user_id
    return StoredEvent(
        event.position,
        event.id,
        event.action,
        event.actor_id,
        event.subject_id,
        None if is_others else row.client.ip,
        None if is_others else row.client.user_agent,
        event.created_at,
        json.loads(event.data),
    )

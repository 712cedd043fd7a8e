"""What is stored about an account, in SQL."""

import json
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from adapters.sql.api_keys import API_KEYS
from adapters.sql.audit import AUDIT_EVENTS
from adapters.sql.outbox import LETTERS
from adapters.sql.reads import Reads
from adapters.sql.sessions import SESSIONS
from adapters.sql.two_factor import TOTP_FACTORS
from application.auth.export import PersonalDataQueries, StoredApiKey, StoredEvent, StoredLetter, StoredSession
from domain.ids import UserId

_USER = sa.bindparam("user_id", type_=sa.Uuid())
_s = SESSIONS.c
_k = API_KEYS.c
_l = LETTERS.c
_e = AUDIT_EVENTS.c
_t = TOTP_FACTORS.c

_SESSIONS = (
    sa.select(
        _s.id,
        _s.created_at,
        _s.last_used_at,
        _s.idle_expires_at,
        _s.expires_at,
        _s.revoked_at,
        _s.ip,
        _s.user_agent,
    )
    .where(_s.user_id == _USER)
    .order_by(_s.created_at, _s.id)
)
_API_KEYS = (
    sa.select(_k.id, _k.name, _k.prefix, _k.scopes, _k.created_at, _k.expires_at, _k.last_used_at, _k.revoked_at)
    .where(_k.owner_id == _USER)
    .order_by(_k.created_at, _k.id)
)
_LETTERS = (
    sa.select(_l.id, _l.template, _l.recipient, _l.status, _l.created_at, _l.sent_at)
    .where(_l.user_id == _USER)
    .order_by(_l.created_at, _l.id)
)
_EVENTS = (
    sa.select(_e.position, _e.id, _e.action, _e.actor_id, _e.subject_id, _e.ip, _e.user_agent, _e.created_at, _e.data)
    .where(sa.or_(_e.actor_id == _USER, _e.subject_id == _USER), _e.position > sa.bindparam("after"))
    .order_by(_e.position)
    .limit(sa.bindparam("limit"))
)
_TOTP = sa.select(_t.user_id).where(_t.user_id == _USER, _t.confirmed_at.is_not(None))


class SqlPersonalDataQueries(PersonalDataQueries):
    """What is stored about an account, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def has_totp(self, user_id: UserId) -> bool:
        return bool(await self._reads.all(_TOTP, UserId, user_id=user_id))

    async def sessions(self, user_id: UserId) -> list[StoredSession]:
        return await self._reads.all(_SESSIONS, StoredSession, user_id=user_id)

    async def api_keys(self, user_id: UserId) -> list[StoredApiKey]:
        return await self._reads.all(_API_KEYS, StoredApiKey, user_id=user_id)

    async def letters(self, user_id: UserId) -> list[StoredLetter]:
        return await self._reads.all(_LETTERS, StoredLetter, user_id=user_id)

    async def events(self, user_id: UserId, *, limit: int, after: int) -> list[StoredEvent]:
        def view(
            position: int,
            event_id: UUID,
            action: str,
            actor_id: UUID | None,
            subject_id: UUID | None,
            ip: str | None,
            user_agent: str | None,
            created_at: datetime,
            data: str,
        ) -> StoredEvent:
            is_others = actor_id is not None and actor_id != user_id
            return StoredEvent(
                position,
                event_id,
                action,
                None if actor_id is None else UserId(actor_id),
                subject_id,
                None if is_others else ip,
                None if is_others else user_agent,
                created_at,
                json.loads(data),
            )

        return await self._reads.all(_EVENTS, view, user_id=user_id, limit=limit, after=after)

"""Removing leftovers from SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from adapters.sql.base import Timestamp
from adapters.sql.engines import Engines
from adapters.sql.errors import translated
from adapters.sql.one_time_tokens import ONE_TIME_TOKENS
from adapters.sql.outbox import LETTERS
from adapters.sql.reads import Reads
from adapters.sql.replies import REPLIES
from adapters.sql.sessions import SESSIONS
from adapters.sql.throttle import THROTTLES
from application.outbox import LetterStatus
from application.retention import Leftover, Leftovers

_BEFORE = sa.bindparam("before", type_=Timestamp())
_LIMIT = sa.bindparam("limit", type_=sa.Integer())
_MICROSECONDS = sa.bindparam("microseconds", type_=sa.BigInteger())
_letters, _sessions, _tokens, _replies, _throttles = (
    table.c for table in (LETTERS, SESSIONS, ONE_TIME_TOKENS, REPLIES, THROTTLES)
)


@dataclass(frozen=True, slots=True)
class _Purge:
    """How to find out whether there are leftovers of a kind, and how to remove some."""

    look: sa.Select[object]
    remove: sa.Delete


def _purge(key: sa.Column[object], condition: sa.ColumnElement[bool]) -> _Purge:
    assert isinstance(key.table, sa.Table)
    some = sa.select(key).where(condition).limit(_LIMIT).correlate(None)
    return _Purge(
        look=sa.select(key).where(condition).limit(1),
        # Asked again of each row, which may have come to be of use meanwhile.
        remove=sa.delete(key.table).where(key.in_(some), condition),
    )


_PURGES: Mapping[Leftover, _Purge] = {
    Leftover.SENT_LETTERS: _purge(
        _letters.id, sa.and_(_letters.status == LetterStatus.SENT, _letters.sent_at < _BEFORE)
    ),
    Leftover.DEAD_LETTERS: _purge(
        _letters.id, sa.and_(_letters.status == LetterStatus.DEAD, _letters.created_at < _BEFORE)
    ),
    Leftover.ENDED_SESSIONS: _purge(
        _sessions.id,
        sa.or_(_sessions.revoked_at < _BEFORE, _sessions.idle_expires_at < _BEFORE, _sessions.expires_at < _BEFORE),
    ),
    Leftover.SPENT_TOKENS: _purge(_tokens.id, sa.or_(_tokens.consumed_at < _BEFORE, _tokens.expires_at < _BEFORE)),
    Leftover.OLD_REPLIES: _purge(_replies.key, _replies.created_at < _BEFORE),
    Leftover.IDLE_THROTTLES: _purge(_throttles.key, _throttles.free_at < _MICROSECONDS),
}


class SqlLeftovers(Leftovers):
    """Finds leftovers without a transaction, and writes only where there are any."""

    def __init__(self, engines: Engines, reads: Reads) -> None:
        self._write = engines.write
        self._reads = reads

    async def remove(self, leftover: Leftover, *, before: datetime, limit: int) -> int:
        purge = _PURGES[leftover]
        moment: dict[str, object] = {"before": before}
        if leftover is Leftover.IDLE_THROTTLES:
            moment = {"microseconds": int(before.astimezone(UTC).timestamp() * 1_000_000)}
        if not await self._reads.rows(purge.look, moment):
            return 0
        with translated():
            return (await self._write.run(purge.remove, {"limit": limit, **moment})).count

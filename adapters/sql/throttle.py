"""Throttling in SQL: GCRA as one conditional upsert, so that it holds across processes and restarts."""

import hashlib
import math
from datetime import timedelta
from functools import cache

import sqlalchemy as sa

from adapters.sql.base import metadata
from adapters.sql.dialects import DialectName, insert_into
from adapters.sql.engines import Engines
from adapters.sql.errors import translated
from application.ports import Clock, Throttle
from application.throttling import ThrottleRule
from domain.errors import Limited

_MICROSECOND = timedelta(microseconds=1)

THROTTLES = sa.Table(
    "throttles",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("free_at", sa.BigInteger(), nullable=False),
    sa.Index("ix_throttles_free_at", "free_at"),
)
"""Subjects under rules, both only as a digest.

`free_at` is GCRA's theoretical arrival time in microseconds since 1970, which every database can calculate with.
"""

_c = THROTTLES.c
_NOW, _INTERVAL, _LATEST = (sa.bindparam(name, type_=sa.BigInteger()) for name in ("now", "interval", "latest"))
_NEXT = sa.case((_c.free_at < _NOW, _NOW), else_=_c.free_at) + _INTERVAL


@cache
def _take(dialect: DialectName) -> sa.Executable:
    taking: sa.Executable = (
        insert_into(THROTTLES, dialect)
        .values(key=sa.bindparam("key"), free_at=_NOW + _INTERVAL)
        .on_conflict_do_update(index_elements=[_c.key], set_={"free_at": _NEXT}, where=_NEXT <= _LATEST)
        .returning(_c.free_at)
    )
    return taking


_LOOK = sa.select(_c.free_at).where(_c.key == sa.bindparam("key"))
_GIVE_BACK = (
    sa.update(THROTTLES)
    .where(_c.key == sa.bindparam("subject_key"))
    .values(free_at=_c.free_at - sa.bindparam("interval"))
)


class SqlThrottle(Throttle):
    """Counts in the database, each try in a transaction of its own."""

    def __init__(self, engines: Engines, clock: Clock) -> None:
        self._write = engines.write
        self._take = _take(engines.write.dialect)
        self._clock = clock

    async def take(self, rule: ThrottleRule, subject: str) -> None:
        key, now, interval = _key(rule, subject), self._now(), rule.interval // _MICROSECOND
        latest = now + rule.burst * interval
        with translated():
            parameters = {"key": key, "now": now, "interval": interval, "latest": latest}
            if (await self._write.run(self._take, parameters)).row() is not None:
                return
            # Without a row it was removed just now: whoever waits a second finds a whole burst.
            free_at = (await self._write.run(_LOOK, {"key": key})).value() or 0
        raise Limited(retry_after=max(1, math.ceil((free_at + interval - latest) / 1_000_000)))

    async def give_back(self, rule: ThrottleRule, subject: str) -> None:
        parameters = {"subject_key": _key(rule, subject), "interval": rule.interval // _MICROSECOND}
        with translated():
            await self._write.run(_GIVE_BACK, parameters)

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)


def _key(rule: ThrottleRule, subject: str) -> str:
    return hashlib.sha256(f"{rule.name}\x00{subject}".encode("utf-8", "surrogatepass")).hexdigest()

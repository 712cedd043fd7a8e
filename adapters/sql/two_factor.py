"""Second factors in SQL."""

from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from adapters.sql.base import Timestamp, metadata
from adapters.sql.dialects import DialectName, insert_into
from adapters.sql.mapping import Mapping, parameters
from adapters.sql.one_time_tokens import ONE_TIME_TOKENS
from adapters.sql.reads import Reads
from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import USERS
from application.auth.two_factor_ports import (
    AwaitedCode,
    MfaChallengeQueries,
    MfaChallengeRepository,
    TwoFactorRepository,
)
from application.ports import NewId
from domain.auth.two_factor import MfaChallenge, RecoveryCode, TotpFactor, digest_recovery_code
from domain.ids import MfaChallengeId, UserId

TOTP_FACTORS = sa.Table(
    "totp_factors",
    metadata,
    sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("sealed_seed", sa.LargeBinary(), nullable=False),
    sa.Column("created_at", Timestamp(), nullable=False),
    sa.Column("confirmed_at", Timestamp()),
    sa.Column("last_step", sa.BigInteger()),
)
"""An account's seed, sealed, and the last time step that was accepted of it."""

RECOVERY_CODES = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("digest", sa.LargeBinary(), nullable=False),
    sa.Column("used_at", Timestamp()),
    sa.UniqueConstraint("user_id", "digest"),
)
"""Of a code itself only the digest."""

_totp = Mapping(TOTP_FACTORS)
_t = _totp.table.c
_r = RECOVERY_CODES.c
_challenges = Mapping(ONE_TIME_TOKENS)
_ch = _challenges.table.c
_u = USERS.c

_MFA_CHALLENGE = "mfa_challenge"
"""The purpose of challenges among one-time tokens."""

_FIND = sa.select(*_totp.table.columns).where(_t.user_id == sa.bindparam("of_user"))
_FRESH: dict[str, sa.BindParameter[Any] | None] = {
    "sealed_seed": sa.bindparam("sealed_seed"),
    "created_at": sa.bindparam("created_at"),
    "confirmed_at": None,
    "last_step": None,
}
_ACCEPT = (
    sa.update(_totp.table)
    .where(
        _t.user_id == sa.bindparam("of_user"),
        _t.sealed_seed == sa.bindparam("found_seed"),
        sa.or_(_t.last_step.is_(None), _t.last_step < sa.bindparam("step")),
    )
    .values(
        last_step=sa.bindparam("step"),
        confirmed_at=sa.func.coalesce(_t.confirmed_at, sa.bindparam("now", type_=Timestamp())),
    )
    .returning(_t.user_id)
)
_REMOVE = sa.delete(_totp.table).where(_t.user_id == sa.bindparam("of_user"))
_ADD_CODE = sa.insert(RECOVERY_CODES).values(parameters(("id", "user_id", "digest")))
_REMOVE_CODES = sa.delete(RECOVERY_CODES).where(_r.user_id == sa.bindparam("of_user"))
_USE_CODE = (
    sa.update(RECOVERY_CODES)
    .where(_r.user_id == sa.bindparam("of_user"), _r.digest == sa.bindparam("shown"), _r.used_at.is_(None))
    .values(used_at=sa.bindparam("now"))
    .returning(_r.id)
)


@cache
def _begin(dialect: DialectName) -> sa.Executable:
    beginning: sa.Executable = (
        insert_into(TOTP_FACTORS, dialect)
        .values(user_id=sa.bindparam("of_user"), **_FRESH)
        .on_conflict_do_update(index_elements=[_t.user_id], set_=_FRESH, where=_t.confirmed_at.is_(None))
        .returning(_t.user_id)
    )
    return beginning


class SqlTwoFactorRepository(TwoFactorRepository):
    """TOTP seeds and recovery codes, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork, new_id: NewId) -> None:
        self._unit = unit
        self._new_id = new_id

    async def find(self, user_id: UserId) -> TotpFactor | None:
        row = (await self._unit.execute(_FIND, {"of_user": user_id})).row()
        return None if row is None else TotpFactor(**_totp.fields(row))

    async def begin(self, factor: TotpFactor) -> bool:
        parameters = {
            "of_user": factor.user_id,
            "sealed_seed": factor.sealed_seed,
            "created_at": factor.created_at,
        }
        begun = await self._unit.execute(_begin(self._unit.dialect), parameters)
        return begun.row() is not None

    async def accept(self, factor: TotpFactor, step: int, *, now: datetime) -> bool:
        parameters = {"of_user": factor.user_id, "found_seed": factor.sealed_seed, "step": step, "now": now}
        return (await self._unit.execute(_ACCEPT, parameters)).row() is not None

    async def remove(self, user_id: UserId) -> None:
        await self._unit.execute(_REMOVE, {"of_user": user_id})
        await self._unit.execute(_REMOVE_CODES, {"of_user": user_id})

    async def replace_recovery_codes(self, user_id: UserId, codes: list[RecoveryCode]) -> None:
        await self._unit.execute(_REMOVE_CODES, {"of_user": user_id})
        rows = [{"id": self._new_id(), "user_id": user_id, "digest": digest_recovery_code(code)} for code in codes]
        await self._unit.execute(_ADD_CODE, rows)

    async def use_recovery_code(self, user_id: UserId, code: RecoveryCode, *, now: datetime) -> bool:
        parameters = {"of_user": user_id, "shown": digest_recovery_code(code), "now": now}
        return (await self._unit.execute(_USE_CODE, parameters)).row() is not None


_ADD = sa.insert(_challenges.table).values(
    parameters(("id", "digest", "purpose", "user_id", "attempts", "created_at", "expires_at", "consumed_at"))
)
_OF_CHALLENGE = (_ch.id == sa.bindparam("challenge_id"), _ch.purpose == _MFA_CHALLENGE)
_AWAITED = (
    sa.select(_ch.user_id, _ch.digest, _u.password_hash)
    .join_from(_challenges.table, USERS, _u.id == _ch.user_id)
    .where(*_OF_CHALLENGE)
)
_REMOVE_EXPIRED = sa.delete(_challenges.table).where(
    _ch.user_id == sa.bindparam("of_user"), _ch.purpose == _MFA_CHALLENGE, _ch.expires_at <= sa.bindparam("now")
)
_ATTEMPT = (
    sa.update(_challenges.table)
    .where(
        *_OF_CHALLENGE,
        _ch.digest == sa.bindparam("shown"),
        _ch.consumed_at.is_(None),
        _ch.expires_at > sa.bindparam("now"),
        _ch.attempts < sa.bindparam("limit"),
    )
    .values(attempts=_ch.attempts + 1)
    .returning(_ch.id)
)
_CONSUME = sa.update(_challenges.table).where(*_OF_CHALLENGE).values(consumed_at=sa.bindparam("now"))


class SqlMfaChallengeQueries(MfaChallengeQueries):
    """Sign-ins that wait for their second factor, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, challenge_id: MfaChallengeId) -> AwaitedCode | None:
        return await self._reads.one(_AWAITED, AwaitedCode, challenge_id=challenge_id)


class SqlMfaChallengeRepository(MfaChallengeRepository):
    """Sign-ins that wait for their second factor, within a unit of work. Their rows are one-time tokens."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    async def add(self, challenge: MfaChallenge) -> None:
        await self._unit.execute(_REMOVE_EXPIRED, {"of_user": challenge.user_id, "now": challenge.created_at})
        await self._unit.execute(
            _ADD,
            {
                "id": challenge.id,
                "digest": challenge.digest,
                "purpose": _MFA_CHALLENGE,
                "user_id": challenge.user_id,
                "attempts": challenge.attempts,
                "created_at": challenge.created_at,
                "expires_at": challenge.expires_at,
                "consumed_at": challenge.consumed_at,
            },
        )

    async def attempt(self, challenge_id: MfaChallengeId, digest: bytes, *, limit: int, now: datetime) -> bool:
        parameters = {"challenge_id": challenge_id, "shown": digest, "limit": limit, "now": now}
        return (await self._unit.execute(_ATTEMPT, parameters)).row() is not None

    async def consume(self, challenge_id: MfaChallengeId, *, now: datetime) -> None:
        await self._unit.execute(_CONSUME, {"challenge_id": challenge_id, "now": now})

"""One-time tokens in SQL."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapters.sql.base import Timestamp, metadata
from adapters.sql.mapping import Mapping
from adapters.sql.reads import Reads
from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import USERS
from application.auth.ports import OneTimeTokenQueries, OneTimeTokenRepository
from domain.auth.one_time_token import LIFETIMES, OneTimeToken, TokenPurpose
from domain.ids import UserId
from domain.users.email import EMAIL_MAX, Email

ONE_TIME_TOKENS = sa.Table(
    "one_time_tokens",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("digest", sa.LargeBinary(), nullable=False),
    sa.Column("purpose", sa.String(30), nullable=False),
    sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("email", sa.String(EMAIL_MAX)),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("created_at", Timestamp(), nullable=False),
    sa.Column("expires_at", Timestamp(), nullable=False),
    sa.Column("consumed_at", Timestamp()),
    sa.UniqueConstraint("digest"),
    sa.Index("ix_one_time_tokens_user_id", "user_id"),
)
"""Of a token itself only the digest."""

_tokens = Mapping(ONE_TIME_TOKENS)
_c = _tokens.table.c
_u = USERS.c
_IS_LINK = sa.or_(*(_c.purpose == purpose for purpose in LIFETIMES))
# The account's row is locked first: of two tokens of one purpose that are issued at once, the later sees the earlier.
_INSERT = sa.insert(_tokens.table).from_select(
    _tokens.names,
    sa.select(*(sa.bindparam(name, type_=_c[name].type) for name in _tokens.names))
    .where(_u.id == sa.bindparam("owner", type_=sa.Uuid()))
    .with_for_update(key_share=True),
)
_REVOKE_OTHERS = (
    sa.update(_tokens.table)
    .where(
        _c.user_id == sa.bindparam("owner"),
        _c.purpose == sa.bindparam("its_purpose"),
        _c.id != sa.bindparam("issued"),
        _c.consumed_at.is_(None),
    )
    .values(consumed_at=sa.bindparam("now"))
)
_CONSUME = (
    sa.update(_tokens.table)
    .where(
        _c.digest == sa.bindparam("its_digest"),
        _c.purpose == sa.bindparam("its_purpose"),
        _c.consumed_at.is_(None),
        _c.expires_at > sa.bindparam("now"),
    )
    .values(consumed_at=sa.bindparam("now"))
    .returning(*_tokens.table.columns)
)
_REVOKE_ALL = (
    sa.update(_tokens.table)
    .where(_c.user_id == sa.bindparam("owner"), _IS_LINK, _c.consumed_at.is_(None))
    .values(consumed_at=sa.bindparam("now"))
)
_FIND = sa.select(*_tokens.table.columns).where(_c.digest == sa.bindparam("digest"), _IS_LINK)


class SqlOneTimeTokenRepository(OneTimeTokenRepository):
    """One-time tokens, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    async def issue(self, token: OneTimeToken) -> bool:
        inserted = await self._unit.execute(_INSERT, _tokens.values(token) | {"owner": token.user_id})
        await self._unit.execute(
            _REVOKE_OTHERS,
            {"owner": token.user_id, "its_purpose": token.purpose, "issued": token.id, "now": token.created_at},
        )
        return inserted.count == 1

    async def consume(self, digest: bytes, purpose: TokenPurpose, *, now: datetime) -> OneTimeToken | None:
        row = (await self._unit.execute(_CONSUME, {"its_digest": digest, "its_purpose": purpose, "now": now})).row()
        return None if row is None else _token(*row)

    async def revoke_all(self, user_id: UserId, *, now: datetime) -> None:
        await self._unit.execute(_REVOKE_ALL, {"owner": user_id, "now": now})


class SqlOneTimeTokenQueries(OneTimeTokenQueries):
    """One-time tokens, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, digest: bytes) -> OneTimeToken | None:
        return await self._reads.one(_FIND, _token, digest=digest)


def _token(*columns: Any) -> OneTimeToken:
    fields = dict(zip(_tokens.names, columns, strict=True))
    email = fields["email"]
    return OneTimeToken(
        **(fields | {"purpose": TokenPurpose(fields["purpose"]), "email": None if email is None else Email(email)})
    )

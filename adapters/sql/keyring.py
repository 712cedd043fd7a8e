"""Signing keys in SQL."""

from typing import Any

import sqlalchemy as sa

from adapters.sql.base import Timestamp, metadata
from adapters.sql.engines import Engines
from adapters.sql.errors import translated
from adapters.sql.mapping import Mapping
from adapters.sql.reads import Reads
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.auth.signing_ports import SigningKey, SigningKeyRing, SigningKeyStore

SIGNING_KEYS = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("kid", sa.String(64), primary_key=True),
    sa.Column("public_jwk", sa.Text(), nullable=False),
    sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
    sa.Column("created_at", Timestamp(), nullable=False),
    sa.Column("activates_at", Timestamp(), nullable=False),
    sa.Column("retires_at", Timestamp()),
)
"""The private half of a pair is sealed with a key derived from PORTICO_SECRET_KEY."""

_keys = Mapping(SIGNING_KEYS)
LOCK = sa.text("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
_ADD = _keys.insert()
_ALL = sa.select(*_keys.columns).order_by(_keys.table.c.created_at, _keys.table.c.kid)
_SAVE = (
    sa.update(_keys.table)
    .where(_keys.table.c.kid == sa.bindparam("saved_kid"))
    .values(retires_at=sa.bindparam("retires_at"))
)


class SqlSigningKeyStore(SigningKeyStore):
    """Signing keys, each call in a transaction of its own."""

    def __init__(self, engines: Engines) -> None:
        self._reads = Reads(engines.read)
        self._write = engines.write

    async def all(self) -> list[SigningKey]:
        return await self._reads.all(_ALL, _key)

    async def add_first(self, key: SigningKey) -> None:
        from adapters.sql.first_key import add_first  # noqa: PLC0415 - there is mostly one, and no need of it

        with translated():
            await add_first(self._write, key)


class SqlSigningKeyRing(SigningKeyRing):
    """Signing keys, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    async def all(self) -> list[SigningKey]:
        if self._unit.dialect == "postgresql":
            await self._unit.execute(LOCK)
        return [SigningKey(**_keys.fields(row)) for row in (await self._unit.execute(_ALL)).rows]

    async def add(self, key: SigningKey) -> None:
        await self._unit.execute(_ADD, _keys.values(key))

    async def save(self, key: SigningKey) -> None:
        saved = await self._unit.execute(_SAVE, {"saved_kid": key.kid, "retires_at": key.retires_at})
        assert saved.count == 1


def _key(*columns: Any) -> SigningKey:
    return SigningKey(**dict(zip(_keys.names, columns, strict=True)))

"""Signing keys in SQL. They are few and seldom touched, so advanced-alchemy's repository does the work."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp
from adapters.sql.engines import Engines
from adapters.sql.errors import translated
from adapters.sql.mapping import Mapping
from adapters.sql.reads import Reads
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.auth.signing_ports import SigningKey, SigningKeyRing, SigningKeyStore


class SigningKeyRecord(Record):
    """A key pair's row; the private half is sealed with a key derived from PORTICO_SECRET_KEY."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    public_jwk: Mapped[str] = mapped_column(sa.Text())
    sealed_private_key: Mapped[bytes] = mapped_column(sa.LargeBinary())
    created_at: Mapped[datetime] = mapped_column(Timestamp())
    activates_at: Mapped[datetime] = mapped_column(Timestamp())
    retires_at: Mapped[datetime | None] = mapped_column(Timestamp())


_keys = Mapping(SigningKeyRecord)
_LOCK = sa.text("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
_ADD = _keys.insert()
_ALL = sa.select(*_keys.columns).order_by(_keys.table.c.created_at, _keys.table.c.kid)
_SAVE = (
    sa.update(_keys.table)
    .where(_keys.table.c.kid == sa.bindparam("saved_kid"))
    .values(retires_at=sa.bindparam("retires_at"))
)


class _SigningKeyRecords(SQLAlchemyAsyncRepository[SigningKeyRecord]):
    model_type = SigningKeyRecord
    id_attribute = "kid"

    def __init__(self, session: AsyncSession) -> None:
        # What SQLAlchemy raises must reach `translated` as it is.
        super().__init__(session=session, auto_refresh=False, wrap_exceptions=False)


class SqlSigningKeyStore(SigningKeyStore):
    """Signing keys, each call in a transaction of its own."""

    def __init__(self, engines: Engines) -> None:
        self._reads = Reads(engines.read)
        self._write = engines.write

    async def all(self) -> list[SigningKey]:
        return await self._reads.all(_ALL, _key)

    async def add_first(self, key: SigningKey) -> None:
        with translated():
            async with self._write.connection() as connection, AsyncSession(connection) as session:
                if self._write.dialect == "postgresql":
                    # Two processes that start together must not both find the table empty.
                    await session.execute(_LOCK)
                if not await self._records(session):
                    await _SigningKeyRecords(session).add(_record(key))
                await session.commit()

    @staticmethod
    async def _records(session: AsyncSession) -> list[SigningKeyRecord]:
        return await _SigningKeyRecords(session).get_many(order_by=("created_at", False))


class SqlSigningKeyRing(SigningKeyRing):
    """Signing keys, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    async def all(self) -> list[SigningKey]:
        if self._unit.dialect == "postgresql":
            await self._unit.execute(_LOCK)
        return [SigningKey(**_keys.fields(row)) for row in (await self._unit.execute(_ALL)).rows]

    async def add(self, key: SigningKey) -> None:
        await self._unit.execute(_ADD, _keys.values(key))

    async def save(self, key: SigningKey) -> None:
        saved = await self._unit.execute(_SAVE, {"saved_kid": key.kid, "retires_at": key.retires_at})
        assert saved.count == 1


def _key(*columns: Any) -> SigningKey:
    return SigningKey(**dict(zip(_keys.names, columns, strict=True)))


def _record(key: SigningKey) -> SigningKeyRecord:
    return SigningKeyRecord(
        kid=key.kid,
        public_jwk=key.public_jwk,
        sealed_private_key=key.sealed_private_key,
        created_at=key.created_at,
        activates_at=key.activates_at,
        retires_at=key.retires_at,
    )

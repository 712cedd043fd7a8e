"""Signing keys in SQL. They are few and seldom touched, so advanced-alchemy's repository does the work."""

from datetime import datetime

import sqlalchemy as sa
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp
from adapters.sql.engines import Engines
from adapters.sql.errors import translated
from application.auth.ports import SigningKey, SigningKeyStore


class SigningKeyRecord(Record):
    """A key pair's row; the private half is sealed with a key derived from PORTICO_SECRET_KEY."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    public_jwk: Mapped[str] = mapped_column(sa.Text())
    sealed_private_key: Mapped[bytes] = mapped_column(sa.LargeBinary())
    created_at: Mapped[datetime] = mapped_column(Timestamp())
    activates_at: Mapped[datetime] = mapped_column(Timestamp())
    retires_at: Mapped[datetime | None] = mapped_column(Timestamp())


class _SigningKeyRecords(SQLAlchemyAsyncRepository[SigningKeyRecord]):
    model_type = SigningKeyRecord
    id_attribute = "kid"

    def __init__(self, session: AsyncSession) -> None:
        # What SQLAlchemy raises must reach `translated` as it is.
        super().__init__(session=session, auto_refresh=False, wrap_exceptions=False)


class SqlSigningKeyStore(SigningKeyStore):
    """Signing keys, each call in a transaction of its own."""

    def __init__(self, engines: Engines) -> None:
        self._read = engines.read
        self._write = engines.write

    async def all(self) -> list[SigningKey]:
        with translated():
            async with AsyncSession(self._read) as session:
                return [_key(record) for record in await self._records(session)]

    async def add_first(self, key: SigningKey) -> None:
        with translated():
            async with AsyncSession(self._write) as session:
                if self._write.dialect.name == "postgresql":
                    # Two processes that start together must not both find the table empty.
                    await session.execute(sa.text("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE"))
                if not await self._records(session):
                    await _SigningKeyRecords(session).add(_record(key))
                await session.commit()

    @staticmethod
    async def _records(session: AsyncSession) -> list[SigningKeyRecord]:
        return await _SigningKeyRecords(session).get_many(order_by=("created_at", False))


def _key(record: SigningKeyRecord) -> SigningKey:
    return SigningKey(
        kid=record.kid,
        public_jwk=record.public_jwk,
        sealed_private_key=record.sealed_private_key,
        created_at=record.created_at,
        activates_at=record.activates_at,
        retires_at=record.retires_at,
    )


def _record(key: SigningKey) -> SigningKeyRecord:
    return SigningKeyRecord(
        kid=key.kid,
        public_jwk=key.public_jwk,
        sealed_private_key=key.sealed_private_key,
        created_at=key.created_at,
        activates_at=key.activates_at,
        retires_at=key.retires_at,
    )

"""Adding the first signing key, with advanced-alchemy's repository.

It happens once in the life of a database: what advanced-alchemy loads with itself, at least 9 MB, is for that process.
"""

from dataclasses import asdict
from typing import ClassVar

import sqlalchemy as sa
from advanced_alchemy.base import DefaultBase
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.sql.async_engines import make_async_engine
from adapters.sql.keyring import LOCK, SIGNING_KEYS
from adapters.sql.pool import Pool
from application.auth.signing_ports import SigningKey


class _Record(DefaultBase):
    __table__: ClassVar[sa.FromClause] = SIGNING_KEYS


class _Records(SQLAlchemyAsyncRepository[_Record]):
    model_type = _Record
    id_attribute = "kid"

    def __init__(self, session: AsyncSession) -> None:
        # What SQLAlchemy raises must reach `translated` as it is.
        super().__init__(session=session, auto_refresh=False, wrap_exceptions=False)


async def add_first(pool: Pool, key: SigningKey) -> None:
    """Add the key unless there is one, on a connection of its own. Raises what SQLAlchemy and the driver raise."""
    async with AsyncSession(make_async_engine(pool.dialect, pool.connect)) as session:
        if pool.dialect == "postgresql":
            # Two processes that start together must not both find the table empty.
            await session.execute(LOCK)
        records = _Records(session)
        if not await records.exists():
            await records.add(_Record(**asdict(key)))
        await session.commit()

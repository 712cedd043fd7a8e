"""`StorageHealth`, and readiness which asks it."""

import pytest
import sqlalchemy as sa
from dishka import AsyncContainer

from adapters.sql.engines import Engines, make_engines
from adapters.sql.health import SqlStorageHealth
from adapters.sql.reads import Reads
from application.health import CheckReadiness, StorageHealth
from domain.errors import Unavailable
from tests.engines import engine_on
from tests.units import use


async def test_is_current_once_it_is_migrated(container: AsyncContainer) -> None:
    health: StorageHealth = await container.get(StorageHealth)

    assert await health.is_current()
    await use(container, CheckReadiness)()


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_is_not_current_at_another_revision(container: AsyncContainer) -> None:
    health: StorageHealth = await container.get(StorageHealth)
    engines: Engines = await container.get(Engines)
    revision = sa.text("UPDATE alembic_version SET version_num = :revision")
    async with engine_on(engines.write).begin() as connection:
        before = (await connection.execute(sa.text("SELECT version_num FROM alembic_version"))).scalar_one()
        await connection.execute(revision, {"revision": "another"})

    try:
        assert not await health.is_current()
        with pytest.raises(Unavailable, match="database check"):
            await CheckReadiness(health)()
    finally:
        async with engine_on(engines.write).begin() as connection:
            await connection.execute(revision, {"revision": before})


async def test_is_not_current_while_it_is_empty(postgresql_blank: str) -> None:
    engines = make_engines(postgresql_blank)

    assert not await SqlStorageHealth(Reads(engines.read)).is_current()
    await engines.dispose()


async def test_says_when_storage_does_not_answer() -> None:
    health = SqlStorageHealth(Reads(make_engines("postgresql://portico@127.0.0.1:1/portico").read))

    with pytest.raises(Unavailable):
        await health.is_current()

"""What tests do with databases past Portico's own pools."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql.async_engines import make_async_engine
from adapters.sql.lane import Driver
from adapters.sql.pool import Pool


def engine_on(pool: Pool) -> AsyncEngine:
    """Return an engine of SQLAlchemy's, whose connections are opened as the pool's are, and closed after each use."""
    return make_async_engine(pool.dialect, pool.connect)


def on_connect(pool: Pool, act: Callable[[Driver], Awaitable[object]]) -> None:
    """Do this with every connection that the pool opens from now on."""
    connect = pool.connect

    async def connect_and_act() -> Driver:
        driver = await connect()
        await act(driver)
        return driver

    pool.connect = connect_and_act

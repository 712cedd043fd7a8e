"""SQLAlchemy's own engines, for what is seldom done with more than statements: migrations, and advanced-alchemy's work.

Their module brings the ORM, of 7 MB, which no process that serves has a use for: who needs one imports this then.
"""

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from adapters.sql.dialects import URLS, DialectName
from adapters.sql.lane import Connect


def make_async_engine(dialect: DialectName, connect: Connect) -> AsyncEngine:
    """Return an engine that keeps no connection; each begins its transactions as Portico's own do."""
    engine = create_async_engine(
        URLS[dialect],
        async_creator=connect,
        poolclass=NullPool,
        hide_parameters=True,  # values are in no error's message, and so in no log
    )
    if dialect == "sqlite":
        event.listen(engine.sync_engine, "begin", _take_write_lock)
    return engine


def _take_write_lock(connection: sa.Connection) -> None:
    # Deferred transactions fail when two of them want to write; this one waits for its turn (busy_timeout).
    connection.exec_driver_sql("BEGIN IMMEDIATE")

"""How Alembic reaches the database: over the connection Portico hands it, else over one made from the settings."""

import asyncio
from typing import Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from sqlalchemy.engine import Connection

from adapters.sql import TABLES
from adapters.sql.base import metadata
from adapters.sql.item_searching import is_compared
from adapters.sql.migrations import make_migration_engine

MIGRATION_LOCK = 0x506F727469636F
"""`Portico` in ASCII: processes that migrate the same PostgreSQL database at once wait for each other here."""


def render_stored_type(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Write the stored type into migrations, never a class of this version of Portico."""
    if kind == "type" and isinstance(item, sa.types.TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


def number(_: object, __: object, drafts: list[MigrationScript]) -> None:
    """Give a new revision the number after the last one's, as its name and its file's: the greatest is the head."""
    head = context.script.get_current_head()
    for draft in drafts:
        draft.rev_id = f"{int(head or 0) + 1:04}"


def migrate(connection: Connection) -> None:
    on_postgresql = connection.dialect.name == "postgresql"
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=not on_postgresql,
        # Alembic takes SQLite for unable, and would commit after each step: others could slip in between.
        transactional_ddl=True,
        render_item=render_stored_type,
        include_name=is_compared,
        process_revision_directives=number,
    )
    with context.begin_transaction():
        if on_postgresql:
            # SQLite needs no lock: its transactions begin by taking the only one there is.
            connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
            connection.exec_driver_sql("SET LOCAL statement_timeout = '60s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        context.run_migrations()


async def migrate_from_settings() -> None:
    from entrypoints.settings import load_settings  # noqa: PLC0415 - only developers come this way

    assert TABLES
    engine = make_migration_engine(load_settings().database_url)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
            await connection.commit()
    finally:
        await engine.dispose()


handed: Connection | None = context.config.attributes.get("connection")
if handed is not None:
    migrate(handed)
else:
    asyncio.run(migrate_from_settings())

"""The schema: where it is, where it should be, and how it gets there."""

from collections.abc import Callable, Sequence

import alembic.command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql.async_engines import make_async_engine
from adapters.sql.base import metadata
from adapters.sql.dialects import dialect_of
from adapters.sql.engines import connects_to
from adapters.sql.errors import translated
from adapters.sql.item_searching import is_compared, missing
from adapters.sql.revisions import SCRIPTS
from application.schema import UnknownRevision


def make_migration_engine(database_url: str) -> AsyncEngine:
    """Return an engine for changing the schema: a command may take as long as it takes, or wait for its turn."""
    return make_async_engine(dialect_of(database_url), connects_to(database_url, migrates=True))


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the schema up; of several processes at once one does and the others wait.

    Raises UnknownRevision, Unavailable.
    """
    await _run(engine, lambda config: alembic.command.upgrade(config, revision))


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Take the schema back. Raises UnknownRevision, Unavailable."""
    await _run(engine, lambda config: alembic.command.downgrade(config, revision))


async def differences(engine: AsyncEngine) -> list[str]:
    """Return what the database lacks to be what the metadata says, one line each. Raises Unavailable."""

    def compare(connection: Connection) -> list[str]:
        steps = compare_metadata(MigrationContext.configure(connection, opts={"include_name": is_compared}), metadata)
        # A step on a column comes in a list: one for each of its properties.
        lines = [_line(part) for step in steps for part in (step if isinstance(step, list) else [step])]
        return [*lines, *(f"add_{kind} {name}" for kind, name in missing(connection))]

    with translated():
        async with engine.connect() as connection:
            return await connection.run_sync(compare)


def _line(step: Sequence[object]) -> str:
    """Write a step such as `("add_column", None, "items", Column(…))` as `add_column items.note`."""
    operation, *parts = step
    names = [part if isinstance(part, str) else getattr(part, "name", None) for part in parts[:3]]
    table = getattr(getattr(parts[0], "table", None), "name", None)
    return f"{operation} {'.'.join(str(name) for name in [table, *names] if name)}"


async def _run(engine: AsyncEngine, command: Callable[[Config], None]) -> None:
    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        command(config)

    with translated():
        async with engine.connect() as connection:
            try:
                await connection.run_sync(run)
            except CommandError as error:
                raise UnknownRevision from error
            await connection.commit()

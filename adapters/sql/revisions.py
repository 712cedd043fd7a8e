"""Revisions of the schema, without Alembic: it takes a while to load, and most starts have nothing to migrate."""

import sqlite3
from pathlib import Path

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql.errors import translated
from adapters.sql.reads import Reads

SCRIPTS = Path(__file__).parents[2] / "alembic"

_VERSIONS = "alembic_version"
_CURRENT = sa.select(sa.column("version_num", sa.String())).select_from(sa.table(_VERSIONS))


def head_revision() -> str:
    """Return the revision that this version of Portico needs: the last of the scripts, which are named after theirs."""
    return max(SCRIPTS.glob("versions/*.py")).name.partition("_")[0]


async def current_revision_on(engine: AsyncEngine) -> str | None:
    """Return the revision of a database that may be empty, then None. Raises Unavailable."""
    with translated():
        async with engine.connect() as connection:
            is_empty = not await connection.run_sync(lambda sync: sa.inspect(sync).has_table(_VERSIONS))
            return None if is_empty else (await connection.execute(_CURRENT)).scalar_one_or_none()


async def current_revision(reads: Reads) -> str | None:
    """Return the revision of the database, or None for one that has none. Raises Unavailable."""
    try:
        return await reads.one(_CURRENT, str)
    except (asyncpg.UndefinedTableError, sqlite3.OperationalError):
        return None

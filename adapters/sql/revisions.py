"""Revisions of the schema, without Alembic: it takes a while to load, and most starts have nothing to migrate."""

import sqlite3
from pathlib import Path

import asyncpg
import sqlalchemy as sa

from adapters.sql.reads import Reads

SCRIPTS = Path(__file__).parents[2] / "alembic"

_VERSIONS = "alembic_version"
_CURRENT = sa.select(sa.column("version_num", sa.String())).select_from(sa.table(_VERSIONS))


def known_revisions() -> set[str]:
    """Return the revisions that this version of Portico makes: the scripts are named after them."""
    return {script.name.partition("_")[0] for script in SCRIPTS.glob("versions/*.py")}


def head_revision() -> str:
    """Return the revision that this version of Portico needs: the last."""
    return max(known_revisions())


async def current_revision(reads: Reads) -> str | None:
    """Return the revision of a database, or None for one that has none. Raises Unavailable."""
    try:
        return await reads.one(_CURRENT, str)
    except asyncpg.UndefinedTableError:
        return None
    except sqlite3.OperationalError as error:
        if str(error) != f"no such table: {_VERSIONS}":
            raise
        return None

"""SQL's dialects: how SQLAlchemy names those that Portico speaks, and what each has words of its own for.

Only the dialect is loaded that a process speaks: PostgreSQL's takes 2 MB.
"""

from importlib import import_module
from types import ModuleType
from typing import Any, Literal

import sqlalchemy as sa

type DialectName = Literal["postgresql", "sqlite"]

URLS: dict[DialectName, str] = {"postgresql": "postgresql+asyncpg://", "sqlite": "sqlite+aiosqlite://"}
"""Each dialect with its driver."""


def dialect_of(database_url: str) -> DialectName:
    """Return which dialect the database speaks."""
    return "sqlite" if database_url.startswith("sqlite") else "postgresql"


def load(dialect: DialectName) -> ModuleType:
    """Return SQLAlchemy's package of the dialect."""
    return import_module(f"sqlalchemy.dialects.{dialect}")


def insert_into(table: sa.Table, dialect: DialectName) -> Any:
    """Return the dialect's own `Insert`, which knows what to do on a conflict."""
    return load(dialect).insert(table)

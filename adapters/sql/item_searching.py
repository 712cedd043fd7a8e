"""What migrations make for searching beside the tables: something else on each database."""

import sqlalchemy as sa
from alembic.runtime.environment import NameFilterParentNames

_BOTH = {f"ix_items_{key}_id": "index" for key in ("created_at", "updated_at", "title")}
_SQLITE = {
    "item_tags": "table",
    "items_search": "table",
    "items_search_inserted": "trigger",
    "items_search_deleted": "trigger",
    "items_search_text_updated": "trigger",
    "items_tags_updated": "trigger",
    **_BOTH,
}
_POSTGRESQL = {"ix_items_tags": "index", **_BOTH}
_OPTIONAL = frozenset({"ix_items_search_text"})
"""Needs the extension pg_trgm, which not everybody may create."""
_OF_THE_TABLE = frozenset({("items", "search_row"), ("items", "uq_items_id")})
"""In SQLite the primary key of `items` is a number, by which the index of texts names a row; ids are unique."""

_NAMES = {
    "sqlite": sa.text("SELECT name FROM sqlite_master"),
    "postgresql": sa.text("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"),
}


def is_compared(name: str | None, kind: str, parents: NameFilterParentNames) -> bool:
    """Tell Alembic whether something that it found should be in the metadata."""
    if kind == "table":
        # The full-text index of SQLite keeps its own in tables whose names begin with its name.
        return not any(str(name).startswith(own) for own in _SQLITE)
    return (parents.get("table_name"), name) not in _OF_THE_TABLE and name not in _POSTGRESQL.keys() | _OPTIONAL


def missing(connection: sa.Connection) -> list[tuple[str, str]]:
    """Return the kind and the name of each thing that a migration made and that is no longer there."""
    dialect = connection.dialect.name
    found = set(connection.execute(_NAMES[dialect]).scalars())
    expected = _SQLITE if dialect == "sqlite" else _POSTGRESQL
    return [(kind, name) for name, kind in expected.items() if name not in found]

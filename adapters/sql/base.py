"""What all tables share: the metadata with its naming convention, and portable column types."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    }
)
"""Knows every table. A table's columns are named after the fields of what it keeps."""


class Timestamp(TypeDecorator[datetime]):
    """A moment in UTC. PostgreSQL keeps the zone; SQLite stores the UTC wall time, which sorts as text."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        # PostgreSQL's driver returns aware UTC datetimes already; no call per value there.
        return super().result_processor(dialect, coltype) if dialect.name == "sqlite" else None


class TextList(TypeDecorator[list[str]]):
    """A list of texts: an array in PostgreSQL, whose driver takes and gives lists, and JSON in SQLite."""

    impl = sa.JSON()
    cache_ok = True

    def __init__(self, length: int) -> None:
        """`length` is the longest a text may be."""
        super().__init__()
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(sa.JSON())
        return dialect.type_descriptor(sa.ARRAY(sa.String(self.length)))

    def bind_processor(self, dialect: Dialect) -> Any:
        # SQLAlchemy's own would go through each list, for types that need it.
        return None if dialect.name == "postgresql" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)


def ordered_text(length: int) -> sa.String:
    """Return a text type that sorts by code point on every database, whatever the locale of the server."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


ESCAPE = "/"
"""What takes the meaning of a wildcard away in the patterns of `containing`."""


def containing(text: str) -> str:
    """Return the pattern of LIKE for what contains the text: `%` and `_` in it are themselves."""
    for special in (ESCAPE, "%", "_"):
        text = text.replace(special, ESCAPE + special)
    return f"%{text}%"

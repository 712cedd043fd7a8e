"""Very many items in SQL: how they are added."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from adapters.sql.base import table_of
from adapters.sql.engines import Engines
from adapters.sql.items import ADD, ItemRecord, row_of
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.items.ports import ItemLoader
from domain.items.item import Item

_table = table_of(ItemRecord)

# PostgreSQL says how many rows one statement added, of many at once it does not. Each column is an array, and because
# an array of arrays would be a matrix, the tags of a row come as a text.
_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "id": sa.Uuid(),
    "owner_id": sa.Uuid(),
    "title": sa.Text(),
    "description": sa.Text(),
    "tags": sa.Text(),
    "created_at": sa.DateTime(timezone=True),
    "updated_at": sa.DateTime(timezone=True),
    "version": sa.Integer(),
    "search_text": sa.Text(),
}


def _add_missing() -> sa.Insert:
    arrays = (sa.bindparam(name, type_=postgresql.ARRAY(kind)) for name, kind in _TYPES.items())
    columns = (sa.column(name, kind) for name, kind in _TYPES.items())
    rows = sa.func.unnest(*arrays).table_valued(*columns).render_derived()
    values = (sa.cast(each, postgresql.ARRAY(sa.Text())) if each.key == "tags" else each for each in rows.c)
    adding = postgresql.insert(_table).from_select(list(_TYPES), sa.select(*values))
    return adding.on_conflict_do_nothing(index_elements=["id"])


_ADD_MISSING = _add_missing()

_IDS = sa.func.json_each(sa.bindparam("ids", type_=sa.JSON())).table_valued("value")
_THERE = sa.select(_table.c.id).where(_table.c.id.in_(sa.select(_IDS.c.value)))


class SqlItemLoader(ItemLoader):
    """Adds items in units of its own."""

    def __init__(self, engines: Engines) -> None:
        self._pool = engines.write
        # PostgreSQL works longest, on the indexes, in a process for each connection. SQLite has one writer, and who
        # else waits for its turn should not wait for more than a batch.
        self.at_once = 1 if engines.write.dialect == "sqlite" else 2

    async def add_missing(self, items: Sequence[Item]) -> int:
        if not items:
            return 0
        unit = SqlUnitOfWork(self._pool)
        try:
            # In the same order everywhere: of two who add the same, one waits, and never both for one another.
            rows = [row_of(item) for item in sorted(items, key=attrgetter("id"))]
            added = await (_add_to_sqlite if unit.dialect == "sqlite" else _add_to_postgresql)(unit, rows)
            await unit.commit()
        finally:
            await unit.close()
        return added


async def _add_to_postgresql(unit: SqlUnitOfWork, rows: Sequence[dict[str, Any]]) -> int:
    columns = {name: [row[name] for row in rows] for name in _TYPES}
    columns["tags"] = [_array_literal(tags) for tags in columns["tags"]]
    return (await unit.execute(_ADD_MISSING, columns)).count


def _array_literal(texts: Sequence[str]) -> str:
    r"""Return the texts as PostgreSQL writes an array: `{"a","\"quoted\""}`."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


async def _add_to_sqlite(unit: SqlUnitOfWork, rows: Sequence[dict[str, Any]]) -> int:
    # It does not say how many of many rows it added. Nobody else writes in this unit's time.
    there: set[UUID] = {row[0] for row in (await unit.execute(_THERE, {"ids": [row["id"].hex for row in rows]})).rows}
    missing = [row for row in rows if row["id"] not in there]
    if missing:
        await unit.execute(ADD, missing)
    return len(missing)

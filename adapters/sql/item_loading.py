"""Very many items in SQL: how they are added.

In the same order everywhere: of two who add the same at the same time one waits, and never both for one another.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import asyncpg
import sqlalchemy as sa

from adapters.sql.dialects import insert_into
from adapters.sql.engines import Engines
from adapters.sql.items import ADD, ITEMS, row_of
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.items.ports import ItemLoader
from application.streams import Turn
from domain.items.item import Item

PATIENCE = 0.5
"""Seconds for which a batch waits for its turn with its rows, for which others may wait (LOCK_TIMEOUT_MS)."""

_IDS = sa.func.json_each(sa.bindparam("ids", type_=sa.JSON())).table_valued("value")
_THERE = sa.select(ITEMS.c.id).where(ITEMS.c.id.in_(sa.select(_IDS.c.value)))


class SqliteItemLoader(ItemLoader):
    """Adds items in units of its own."""

    # There is one writer, and who else waits for its turn should not wait for more than a batch.
    at_once = 1

    def __init__(self, engines: Engines) -> None:
        self._pool = engines.write

    async def add_missing(self, items: Sequence[Item], turn: Turn) -> int:
        rows = [row_of(item) for item in _ordered(items)]
        unit = SqlUnitOfWork(self._pool)
        try:
            # It does not say how many of many rows it added. Nobody else writes in this unit's time.
            found = await unit.execute(_THERE, {"ids": [row["id"].hex for row in rows]})
            there = {row[0] for row in found.rows}
            missing = [row for row in rows if row["id"] not in there]
            if missing:
                await unit.execute(ADD, missing)
            await turn()
            await unit.commit()
        finally:
            await unit.close()
        return len(missing)


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
_values = attrgetter(*_TYPES)


@cache
def _add_missing() -> sa.Executable:
    arrays = (sa.bindparam(name, type_=sa.ARRAY(kind)) for name, kind in _TYPES.items())
    columns = (sa.column(name, kind) for name, kind in _TYPES.items())
    rows = sa.func.unnest(*arrays).table_valued(*columns).render_derived()
    values = (sa.cast(each, sa.ARRAY(sa.Text())) if each.key == "tags" else each for each in rows.c)
    adding: sa.Executable = (
        insert_into(ITEMS, "postgresql")
        .from_select(list(_TYPES), sa.select(*values))
        .on_conflict_do_nothing(index_elements=[ITEMS.c.id])
    )
    return adding


_MARK = sa.text("SAVEPOINT before_copy")
_BACK = sa.text("ROLLBACK TO SAVEPOINT before_copy")


class PostgresqlItemLoader(ItemLoader):
    """Adds items by COPY, or if some are there already by a statement that takes half as long again."""

    # Each connection is a process there, which works longer on the indexes than this one does on the rows.
    at_once = 2

    def __init__(self, engines: Engines) -> None:
        self._pool = engines.write

    async def add_missing(self, items: Sequence[Item], turn: Turn) -> int:
        rows = [_values(item) for item in _ordered(items)]
        unit = SqlUnitOfWork(self._pool)
        try:
            added = await self._add(unit, rows)
            try:
                async with asyncio.timeout(PATIENCE):
                    await turn()
            except TimeoutError:
                # The batch before this may wait for somebody who waits for these rows. PostgreSQL sees no deadlock in
                # that, because this one waits for nothing in the database.
                await unit.close()
                await turn()
                added = await self._add(unit, rows)
            await unit.commit()
        finally:
            await unit.close()
        return added

    async def _add(self, unit: SqlUnitOfWork, rows: Sequence[tuple[Any, ...]]) -> int:
        await unit.execute(_MARK)
        try:
            await unit.copy(ITEMS, tuple(_TYPES), rows)
        except asyncpg.UniqueViolationError:
            await unit.execute(_BACK)
            columns = dict(zip(_TYPES, map(list, zip(*rows, strict=True)), strict=True))
            columns["tags"] = [_array_literal(tags) for tags in columns["tags"]]
            return (await unit.execute(_add_missing(), columns)).count
        return len(rows)


def _array_literal(texts: Sequence[str]) -> str:
    r"""Return the texts as PostgreSQL writes an array: `{"a","\"quoted\""}`."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def _ordered(items: Sequence[Item]) -> list[Item]:
    return sorted(items, key=attrgetter("id"))

"""Items in SQL: how they are stored and changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, TextList, Timestamp, ordered_text
from adapters.sql.mapping import Mapping, parameters
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.items.ports import ItemRepository
from domain.errors import Stale
from domain.ids import ItemId, UserId
from domain.items.errors import ItemNotFound
from domain.items.item import TAG_MAX, TITLE_MAX, Item


class ItemRecord(Record):
    """An item's row."""

    __tablename__ = "items"
    __table_args__ = (
        sa.Index("ix_items_owner_id_created_at_id", "owner_id", "created_at", "id"),
        sa.Index("ix_items_owner_id_updated_at_id", "owner_id", "updated_at", "id"),
        sa.Index("ix_items_owner_id_title_id", "owner_id", "title", "id"),
    )

    id: Mapped[UUID] = mapped_column(sa.Uuid(), primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(ordered_text(TITLE_MAX))
    description: Mapped[str | None] = mapped_column(sa.Text())
    tags: Mapped[list[str]] = mapped_column(TextList(TAG_MAX))
    created_at: Mapped[datetime] = mapped_column(Timestamp())
    updated_at: Mapped[datetime] = mapped_column(Timestamp())
    version: Mapped[int] = mapped_column(sa.Integer())
    search_text: Mapped[str] = mapped_column(sa.Text().with_variant(sa.Text(collation="C"), "postgresql"))


_items = Mapping(ItemRecord, derived=("search_text",))
_c = _items.table.c
_PARAMETERS = parameters((*_items.names, "search_text"))
_ADD = sa.insert(_items.table).values(_PARAMETERS)
_ADD_MISSING = sqlite.insert(_items.table).values(_PARAMETERS).on_conflict_do_nothing(index_elements=[_c.id])

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


def _add_all_missing() -> sa.Insert:
    arrays = (sa.bindparam(name, type_=postgresql.ARRAY(kind)) for name, kind in _TYPES.items())
    columns = (sa.column(name, kind) for name, kind in _TYPES.items())
    rows = sa.func.unnest(*arrays).table_valued(*columns).render_derived()
    values = (sa.cast(each, postgresql.ARRAY(sa.Text())) if each.key == "tags" else each for each in rows.c)
    adding = postgresql.insert(_items.table).from_select(list(_TYPES), sa.select(*values))
    # Whoever adds the same at the same time is waited for.
    return adding.on_conflict_do_nothing(index_elements=[_c.id])


_ADD_ALL_MISSING = _add_all_missing()


def _array_literal(texts: Sequence[str]) -> str:
    r"""Return the texts as PostgreSQL writes an array: `{"a","\"quoted\""}`."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


_LOAD = (
    sa.select(*_items.columns)
    .where(_c.id == sa.bindparam("id"), _c.owner_id == sa.bindparam("owner_id"))
    .with_for_update()
)
_AS_LOADED = (_c.id == sa.bindparam("saved_id"), _c.version == sa.bindparam("loaded_version"))
_CHANGING = ("title", "description", "tags", "updated_at", "version", "search_text")
_SAVE = sa.update(_items.table).where(*_AS_LOADED).values(parameters(_CHANGING))
_DELETE = sa.delete(_items.table).where(*_AS_LOADED)


def _row(item: Item) -> dict[str, Any]:
    return _items.values(item) | {"search_text": item.search_text}


_IDS = sa.bindparam("ids", type_=sa.JSON().with_variant(postgresql.ARRAY(sa.Uuid()), "postgresql"))
_THERE = {
    "postgresql": sa.select(_c.id).where(_c.id == sa.any_(_IDS)),
    "sqlite": sa.select(_c.id).where(_c.id.in_(sa.select(sa.func.json_each(_IDS).table_valued("value").c.value))),
}


def _there(dialect: str, ids: Sequence[UUID]) -> tuple[sa.Select[UUID], dict[str, Any]]:
    return _THERE[dialect], {"ids": ids if dialect == "postgresql" else [each.hex for each in ids]}


class SqlItemRepository(ItemRepository):
    """Items, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    async def add(self, item: Item) -> None:
        self._unit.postpone(_ADD, _row(item))

    async def add_all(self, items: Sequence[Item]) -> None:
        if items:
            await self._unit.execute(_ADD, [_row(item) for item in items])

    async def add_missing(self, items: Sequence[Item]) -> int:
        if not items:
            return 0
        found = await self._unit.execute(*_there(self._unit.dialect, [item.id for item in items]))
        there = {row[0] for row in found.rows}
        rows = [_row(item) for item in items if item.id not in there]
        if not rows:
            return 0
        if self._unit.dialect == "sqlite":
            # Nobody else writes in this unit's time: each of them is added.
            return (await self._unit.execute(_ADD_MISSING, rows)).count
        for row in rows:
            row["tags"] = _array_literal(row["tags"])
        columns = {name: [row[name] for row in rows] for name in _TYPES}
        return (await self._unit.execute(_ADD_ALL_MISSING, columns)).count

    async def get(self, owner_id: UserId, item_id: ItemId) -> Item:
        row = (await self._unit.execute(_LOAD, {"id": item_id, "owner_id": owner_id})).row()
        if row is None:
            raise ItemNotFound
        fields = _items.fields(row)
        return Item(**(fields | {"tags": tuple(fields["tags"])}))

    async def save(self, item: Item) -> None:
        values = {
            "saved_id": item.id,
            "loaded_version": item.version - 1,
            "title": item.title,
            "description": item.description,
            "tags": item.tags,
            "updated_at": item.updated_at,
            "version": item.version,
            "search_text": item.search_text,
        }
        if (await self._unit.execute(_SAVE, values)).count != 1:
            raise Stale

    async def delete(self, item: Item) -> None:
        deleted = await self._unit.execute(_DELETE, {"saved_id": item.id, "loaded_version": item.version})
        if deleted.count != 1:
            raise Stale

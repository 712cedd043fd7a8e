"""Items in SQL: how they are stored and changed."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from adapters.sql.base import TextList, Timestamp, metadata, ordered_text
from adapters.sql.mapping import Mapping, parameters
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.items.ports import ItemRepository
from domain.errors import Stale
from domain.ids import ItemId, UserId
from domain.items.errors import ItemNotFound
from domain.items.item import TAG_MAX, TITLE_MAX, Item

ITEMS = sa.Table(
    "items",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("title", ordered_text(TITLE_MAX), nullable=False),
    sa.Column("description", sa.Text()),
    sa.Column("tags", TextList(TAG_MAX), nullable=False),
    sa.Column("created_at", Timestamp(), nullable=False),
    sa.Column("updated_at", Timestamp(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("search_text", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
    sa.Index("ix_items_owner_id_created_at_id", "owner_id", "created_at", "id"),
    sa.Index("ix_items_owner_id_updated_at_id", "owner_id", "updated_at", "id"),
    sa.Index("ix_items_owner_id_title_id", "owner_id", "title", "id"),
)

_items = Mapping(ITEMS, derived=("search_text",))
_c = _items.table.c
ADD = sa.insert(_items.table).values(parameters((*_items.names, "search_text")))
"""Adds an item, given its row."""

_LOAD = (
    sa.select(*_items.columns)
    .where(_c.id == sa.bindparam("id"), _c.owner_id == sa.bindparam("owner_id"))
    .with_for_update()
)
_AS_LOADED = (_c.id == sa.bindparam("saved_id"), _c.version == sa.bindparam("loaded_version"))
_CHANGING = ("title", "description", "tags", "updated_at", "version", "search_text")
_SAVE = sa.update(_items.table).where(*_AS_LOADED).values(parameters(_CHANGING))
_DELETE = sa.delete(_items.table).where(*_AS_LOADED)


def row_of(item: Item) -> dict[str, Any]:
    """Return the values of an item's row."""
    return _items.values(item) | {"search_text": item.search_text}


class SqlItemRepository(ItemRepository):
    """Items, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    async def add(self, item: Item) -> None:
        self._unit.postpone(ADD, row_of(item))

    async def add_all(self, items: Sequence[Item]) -> None:
        if items:
            await self._unit.execute(ADD, [row_of(item) for item in items])

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

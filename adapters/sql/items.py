"""Items in SQL."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from adapters.sql.base import Record, Timestamp, ordered_text
from adapters.sql.keyset import KeysetPages
from adapters.sql.mapping import Mapping
from adapters.sql.reads import Reads
from adapters.sql.unit_of_work import SqlUnitOfWork
from application.items.ports import ItemQueries, ItemRepository, ItemSort
from application.items.views import ItemView
from application.paging import Order, Page, Place
from domain.errors import Stale
from domain.ids import ItemId, UserId
from domain.items.errors import ItemNotFound
from domain.items.item import TITLE_MAX, Item


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
    tags: Mapped[list[str]] = mapped_column(sa.JSON())
    created_at: Mapped[datetime] = mapped_column(Timestamp())
    updated_at: Mapped[datetime] = mapped_column(Timestamp())
    version: Mapped[int] = mapped_column(sa.Integer())


_items = Mapping(ItemRecord)
_c = _items.table.c
_LOAD = (
    sa.select(*_items.table.columns)
    .where(_c.id == sa.bindparam("id"), _c.owner_id == sa.bindparam("owner_id"))
    .with_for_update()
)
_AS_LOADED = (_c.id == sa.bindparam("saved_id"), _c.version == sa.bindparam("loaded_version"))
_SAVE = (
    sa.update(_items.table)
    .where(*_AS_LOADED)
    .values({name: sa.bindparam(name) for name in ("title", "description", "tags", "updated_at", "version")})
)
_DELETE = sa.delete(_items.table).where(*_AS_LOADED)


class SqlItemRepository(ItemRepository):
    """Items, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    async def add(self, item: Item) -> None:
        await self._unit.execute(sa.insert(_items.table), _items.values(item))

    async def get(self, owner_id: UserId, item_id: ItemId) -> Item:
        row = (await self._unit.execute(_LOAD, {"id": item_id, "owner_id": owner_id})).one_or_none()
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
        }
        if (await self._unit.execute(_SAVE, values)).rowcount != 1:
            raise Stale

    async def delete(self, item: Item) -> None:
        deleted = await self._unit.execute(_DELETE, {"saved_id": item.id, "loaded_version": item.version})
        if deleted.rowcount != 1:
            raise Stale


_VIEW = sa.select(_c.id, _c.owner_id, _c.title, _c.description, _c.tags, _c.created_at, _c.updated_at, _c.version)
_ONE = _VIEW.where(_c.id == sa.bindparam("id"), _c.owner_id == sa.bindparam("owner_id"))
_PAGES = KeysetPages(
    _VIEW,
    keys={
        ItemSort.CREATED_AT: _c.created_at,
        ItemSort.UPDATED_AT: _c.updated_at,
        ItemSort.TITLE: _c.title,
    },
    tie_break=_c.id,
    filters={"owner_id": _c.owner_id == sa.bindparam("owner_id")},
)


class SqlItemQueries(ItemQueries):
    """Items, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, owner_id: UserId, item_id: ItemId) -> ItemView:
        view = await self._reads.one(_ONE, ItemView, id=item_id, owner_id=owner_id)
        if view is None:
            raise ItemNotFound
        return view

    async def page(
        self, owner_id: UserId, *, order: Order[ItemSort], limit: int, after: Place | None
    ) -> Page[ItemView]:
        return await _PAGES.page(self._reads, ItemView, {"owner_id": owner_id}, order=order, limit=limit, after=after)

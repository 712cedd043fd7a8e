"""Items in memory."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from adapters.memory.paging import page_of
from adapters.memory.store import MemoryStore, MemoryUnitOfWork
from adapters.memory.users import USERS
from application.items.ports import ItemFilter, ItemLoader, ItemQueries, ItemRepository, ItemSort
from application.items.views import ItemView, view_of
from application.paging import Order, Page, Place
from application.streams import Turn
from domain.errors import Stale
from domain.ids import ItemId, UserId
from domain.items.errors import ItemNotFound
from domain.items.item import Item
from domain.text import fold
from domain.users.errors import UserNotFound
from domain.users.user import User

ITEMS = "items"


class MemoryItemRepository(ItemRepository):
    """Items, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork) -> None:
        self._unit = unit

    async def add(self, item: Item) -> None:
        if (await self._unit.table(USERS, User)).get(item.owner_id) is None:
            raise UserNotFound
        (await self._unit.table(ITEMS, Item)).put(item.id, item)

    async def add_all(self, items: Sequence[Item]) -> None:
        for item in items:
            await self.add(item)

    async def get(self, owner_id: UserId, item_id: ItemId) -> Item:
        item = (await self._unit.table(ITEMS, Item)).get(item_id)
        if item is None or item.owner_id != owner_id:
            raise ItemNotFound
        return item

    async def save(self, item: Item) -> None:
        items = await self._unit.table(ITEMS, Item)
        stored = items.get(item.id)
        if stored is None or stored.version != item.version - 1:
            raise Stale
        items.put(item.id, item)

    async def delete(self, item: Item) -> None:
        items = await self._unit.table(ITEMS, Item)
        stored = items.get(item.id)
        if stored is None or stored.version != item.version:
            raise Stale
        items.remove(item.id)


class MemoryItemLoader(ItemLoader):
    """Adds items in units of its own."""

    at_once = 1

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def add_missing(self, items: Sequence[Item], turn: Turn) -> int:
        unit = MemoryUnitOfWork(self._store)
        try:
            table = await unit.table(ITEMS, Item)
            missing = [item for item in items if table.get(item.id) is None]
            await MemoryItemRepository(unit).add_all(missing)
            await turn()
            await unit.commit()
        finally:
            await unit.close()
        return len(missing)


class MemoryItemQueries(ItemQueries):
    """Items, as they are committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def get(self, owner_id: UserId, item_id: ItemId) -> ItemView:
        item = self._store.table(ITEMS, Item).get(item_id)
        if item is None or item.owner_id != owner_id:
            raise ItemNotFound
        return view_of(item)

    async def page(
        self, owner_id: UserId, which: ItemFilter, *, order: Order[ItemSort], limit: int, after: Place | None
    ) -> Page[ItemView]:
        items = (item for item in self._store.table(ITEMS, Item).values() if item.owner_id == owner_id)
        return self._page(items, which, order=order, limit=limit, after=after)

    async def page_of_all(
        self, which: ItemFilter, *, order: Order[ItemSort], limit: int, after: Place | None
    ) -> Page[ItemView]:
        return self._page(self._store.table(ITEMS, Item).values(), which, order=order, limit=limit, after=after)

    def _page(
        self, items: Iterable[Item], which: ItemFilter, *, order: Order[ItemSort], limit: int, after: Place | None
    ) -> Page[ItemView]:
        return page_of(
            (item for item in items if _matches(item, which)),
            view_of,
            key=lambda item: _key(item, order.by),
            tie_break=lambda item: item.id,
            order=order,
            limit=limit,
            after=after,
        )


def _matches(item: Item, which: ItemFilter) -> bool:
    return (
        (which.q is None or fold(which.q) in item.search_text)
        and (which.tag is None or which.tag in item.tags)
        and (which.created_after is None or item.created_at > which.created_after)
        and (which.created_before is None or item.created_at < which.created_before)
    )


def _key(item: Item, by: ItemSort) -> datetime | str:
    match by:
        case ItemSort.CREATED_AT:
            return item.created_at
        case ItemSort.UPDATED_AT:
            return item.updated_at
        case ItemSort.TITLE:
            return item.title

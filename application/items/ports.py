"""What the items feature asks of storage. Every access names the owner; somebody else's item is not found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from application.items.views import ItemView
from application.paging import Order, Page, Place
from application.streams import Turn
from domain.ids import ItemId, UserId
from domain.items.item import Item


class ItemRepository(Protocol):
    """Items, for changing them."""

    async def add(self, item: Item) -> None:
        """Store a new item. Raises UserNotFound, at the latest when the unit commits, if its owner does not exist."""

    async def add_all(self, items: Sequence[Item]) -> None:
        """Store new items, in one round trip. Raises UserNotFound if an owner does not exist."""

    async def get(self, owner_id: UserId, item_id: ItemId) -> Item:
        """Load an item for changing it: others who want to change it wait for this unit. Raises ItemNotFound."""

    async def save(self, item: Item) -> None:
        """Store the item's next version. Raises Stale if it was changed or deleted since it was loaded."""

    async def delete(self, item: Item) -> None:
        """Remove the item. Raises Stale if it was changed or deleted since it was loaded."""


class ItemLoader(Protocol):
    """Items, for adding very many of them: each call is a transaction of its own."""

    at_once: int
    """How many calls at a time get them stored soonest."""

    async def add_missing(self, items: Sequence[Item], turn: Turn) -> int:
        """Store for good, when it is their turn, those of which there is no item with the same id yet; return how many.

        Others who add the same at the same time are waited for. Raises UserNotFound if an owner does not exist, and
        what `turn` raises; nothing is stored then.
        """


class ItemSort(StrEnum):
    """By what a list of items can be sorted."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    TITLE = "title"


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items to list. What is None does not filter.

    ================  ===================================================================================
    `q`               has this in its title or description, whatever the case; `%` and `_` are themselves
    `tag`             has exactly this tag
    `created_after`   was created later than this
    `created_before`  was created earlier than this
    ================  ===================================================================================
    """

    q: str | None = None
    tag: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


EVERY_ITEM = ItemFilter()


class ItemQueries(Protocol):
    """Items, for showing them. Sees what is committed."""

    async def get(self, owner_id: UserId, item_id: ItemId) -> ItemView:
        """Return the item. Raises ItemNotFound."""

    async def page(
        self, owner_id: UserId, which: ItemFilter, *, order: Order[ItemSort], limit: int, after: Place | None
    ) -> Page[ItemView]:
        """Return up to `limit` of those of the owner's items in this order, behind the place."""

    async def page_of_all(
        self, which: ItemFilter, *, order: Order[ItemSort], limit: int, after: Place | None
    ) -> Page[ItemView]:
        """Return up to `limit` of those items in this order, behind the place, whoever owns them."""

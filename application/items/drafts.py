"""What items are made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.errors import Invalid
from domain.ids import ItemId, UserId
from domain.items.item import Item, parse_description, parse_tags, parse_title


@dataclass(frozen=True, slots=True)
class ItemDraft:
    """What somebody wants an item to say. Whether it may is found out when the item is made."""

    title: str
    description: str | None = None
    tags: Sequence[str] = ()

    def item(self, item_id: ItemId, *, owner_id: UserId, now: datetime) -> Item:
        """Return the new item; raises Invalid."""
        return Item(
            id=item_id,
            owner_id=owner_id,
            title=parse_title(self.title),
            description=None if self.description is None else parse_description(self.description),
            tags=parse_tags(self.tags),
            created_at=now,
            updated_at=now,
        )


type Row = ItemDraft | Invalid
"""One of many: a draft, or why what was given can't be read as one."""

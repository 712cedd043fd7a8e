"""Many items at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.items.drafts import Row
from application.items.ports import ItemRepository
from application.items.views import ItemView, view_of
from application.ports import Clock, NewId, UnitOfWork
from domain.access import Actor, Permission
from domain.errors import FieldError, Invalid
from domain.ids import ItemId
from domain.items.item import Item


@dataclass(frozen=True, slots=True)
class AddItems:
    """Add items to the actor's own: all, or with a bad one among them none."""

    items: ItemRepository
    unit: UnitOfWork
    clock: Clock
    new_id: NewId

    async def __call__(self, actor: Actor, rows: Sequence[Row]) -> list[ItemView]:
        """Return the new items in the order of the rows; raises PermissionDenied, and Invalid for all bad rows."""
        actor.require(Permission.ITEMS_WRITE)
        now = self.clock.now()
        items: list[Item] = []
        errors: list[FieldError] = []
        for at, row in enumerate(rows):
            try:
                if isinstance(row, Invalid):
                    raise row
                items.append(row.item(ItemId(self.new_id()), owner_id=actor.user_id, now=now))
            except Invalid as invalid:
                errors += [error.within(f"items/{at}") for error in invalid.errors]
        if errors:
            raise Invalid(*errors)
        await self.items.add_all(items)
        await self.unit.commit()
        return [view_of(item) for item in items]

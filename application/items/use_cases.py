"""What people do with their items."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.items.drafts import ItemDraft
from application.items.ports import EVERY_ITEM, ItemFilter, ItemQueries, ItemRepository, ItemSort
from application.items.views import ItemView, view_of
from application.paging import Order, Page, Place
from application.ports import Clock, NewId, UnitOfWork
from application.unset import UNSET, Unset
from application.versions import UNCONDITIONAL, Precondition
from domain.access import Actor, Permission
from domain.ids import ItemId, UserId
from domain.items.item import parse_description, parse_tags, parse_title


@dataclass(frozen=True, slots=True)
class AddItem:
    """Add an item to the actor's own."""

    items: ItemRepository
    unit: UnitOfWork
    clock: Clock
    new_id: NewId

    async def __call__(
        self, actor: Actor, *, title: str, description: str | None = None, tags: Sequence[str] = ()
    ) -> ItemView:
        """Return the new item; raises PermissionDenied, Invalid."""
        actor.require(Permission.ITEMS_WRITE)
        draft = ItemDraft(title, description, tags)
        item = draft.item(ItemId(self.new_id()), owner_id=actor.user_id, now=self.clock.now())
        await self.items.add(item)
        await self.unit.commit()
        return view_of(item)


@dataclass(frozen=True, slots=True)
class ShowItem:
    """Show one of the actor's items."""

    items: ItemQueries

    async def __call__(self, actor: Actor, item_id: ItemId) -> ItemView:
        """Return the item; raises PermissionDenied, ItemNotFound."""
        actor.require(Permission.ITEMS_READ)
        return await self.items.get(actor.user_id, item_id)


@dataclass(frozen=True, slots=True)
class ListItems:
    """List the actor's items."""

    items: ItemQueries

    async def __call__(
        self,
        actor: Actor,
        which: ItemFilter = EVERY_ITEM,
        *,
        order: Order[ItemSort],
        limit: int,
        after: Place | None = None,
    ) -> Page[ItemView]:
        """Return a page of items; raises PermissionDenied."""
        actor.require(Permission.ITEMS_READ)
        return await self.items.page(actor.user_id, which, order=order, limit=limit, after=after)


@dataclass(frozen=True, slots=True)
class ListItemsOfAnybody:
    """List the items of one account or, with no owner, of all."""

    items: ItemQueries

    async def __call__(
        self,
        actor: Actor,
        owner_id: UserId | None,
        which: ItemFilter = EVERY_ITEM,
        *,
        order: Order[ItemSort],
        limit: int,
        after: Place | None = None,
    ) -> Page[ItemView]:
        """Return a page of items; raises PermissionDenied."""
        actor.require(Permission.ITEMS_READ_ANY)
        if owner_id is None:
            return await self.items.page_of_all(which, order=order, limit=limit, after=after)
        return await self.items.page(owner_id, which, order=order, limit=limit, after=after)


@dataclass(frozen=True, slots=True)
class EditItem:
    """Change one of the actor's items: what is unset stays, and None clears the description."""

    items: ItemRepository
    unit: UnitOfWork
    clock: Clock

    async def __call__(
        self,
        actor: Actor,
        item_id: ItemId,
        *,
        title: str | Unset = UNSET,
        description: str | Unset | None = UNSET,
        tags: Sequence[str] | Unset = UNSET,
        precondition: Precondition = UNCONDITIONAL,
    ) -> ItemView:
        """Return the item as it is now; raises PermissionDenied, Invalid, ItemNotFound, Stale."""
        actor.require(Permission.ITEMS_WRITE)
        item = await self.items.get(actor.user_id, item_id)
        precondition.check(item.version)
        item.edit(
            title=item.title if title is UNSET else parse_title(title),
            description=item.description
            if description is UNSET
            else None
            if description is None
            else parse_description(description),
            tags=item.tags if tags is UNSET else parse_tags(tags),
            now=self.clock.now(),
        )
        await self.items.save(item)
        await self.unit.commit()
        return view_of(item)


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Delete one of the actor's items."""

    items: ItemRepository
    unit: UnitOfWork

    async def __call__(self, actor: Actor, item_id: ItemId, *, precondition: Precondition = UNCONDITIONAL) -> None:
        """Delete it; raises PermissionDenied, ItemNotFound, Stale."""
        actor.require(Permission.ITEMS_WRITE)
        item = await self.items.get(actor.user_id, item_id)
        precondition.check(item.version)
        await self.items.delete(item)
        await self.unit.commit()

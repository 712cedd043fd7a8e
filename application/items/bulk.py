"""Many items at once."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from operator import attrgetter

from application.items.drafts import Row
from application.items.ports import EVERY_ITEM, ItemLoader, ItemQueries, ItemRepository, ItemSort
from application.items.views import ItemView, view_of
from application.paging import Order, Place
from application.ports import Clock, NewId, UnitOfWork
from application.streams import Turn, in_batches, worked_on
from domain.access import Actor, Permission
from domain.errors import FieldError, Invalid
from domain.ids import ItemId, id_named
from domain.items.item import Item

IMPORT_BATCH = 1_000
"""Rows stored in one transaction."""

IMPORT_BATCH_BYTES = 1 << 19
"""About how large those may be: long texts take seconds to index, in which nobody else can write to SQLite."""

EXPORT_BATCH = 1_000
"""Rows read at once."""


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
            made = _item_of(row, ItemId(self.new_id()), actor, now)
            if isinstance(made, Item):
                items.append(made)
            else:
                errors += [error.within(f"items/{at}") for error in made]
        if errors:
            raise Invalid(*errors)
        await self.items.add_all(items)
        await self.unit.commit()
        return [view_of(item) for item in items]


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """A row of a file. With a name, the same row of the same owner is the same item however often it is imported."""

    line: int
    row: Row
    name: bytes | None = None
    size: int = 0
    """Bytes that it was written in."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of which no item was made, and why."""

    line: int
    errors: tuple[FieldError, ...]


@dataclass(slots=True)
class ImportedBatch:
    """What became of some rows. It is stored for good."""

    created: int = 0
    known: int = 0
    """Rows whose item was there already."""
    refused: list[RefusedRow] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many they were."""
        return self.created + self.known + len(self.refused)


@dataclass(frozen=True, slots=True)
class ImportItems:
    """Add the items of a file of any size to the actor's own, batch by batch.

    The good rows are kept, whatever the others are; what was stored stays, should the file end abruptly or storing
    fail, and is the file's beginning. While the next rows are awaited no transaction is open.
    """

    loader: ItemLoader
    clock: Clock
    new_id: NewId

    async def __call__(
        self, actor: Actor, chunks: AsyncIterable[Sequence[ImportedRow]]
    ) -> AsyncGenerator[ImportedBatch]:
        """Return what becomes of the rows, batch by batch as they are stored; raises PermissionDenied."""
        actor.require(Permission.ITEMS_WRITE)
        return worked_on(self._read(actor, chunks), self._store, at_once=self.loader.at_once)

    async def _store(self, made: tuple[list[Item], ImportedBatch], turn: Turn) -> ImportedBatch:
        items, batch = made
        if items:
            batch.created = await self.loader.add_missing(items, turn)
        else:
            await turn()
        batch.known = len(items) - batch.created
        return batch

    async def _read(
        self, actor: Actor, chunks: AsyncIterable[Sequence[ImportedRow]]
    ) -> AsyncGenerator[tuple[list[Item], ImportedBatch]]:
        async for rows in in_batches(chunks, most=IMPORT_BATCH, largest=IMPORT_BATCH_BYTES, size_of=attrgetter("size")):
            now = self.clock.now()
            items: list[Item] = []
            batch = ImportedBatch()
            for row in rows:
                item_id = self.new_id() if row.name is None else id_named(_name(actor, row.name))
                made = _item_of(row.row, ItemId(item_id), actor, now)
                if isinstance(made, Item):
                    items.append(made)
                else:
                    batch.refused.append(RefusedRow(row.line, made))
            yield items, batch


@dataclass(frozen=True, slots=True)
class ExportItems:
    """Give out all items of the actor, the oldest first. What is changed meanwhile may or may not be seen."""

    items: ItemQueries

    async def __call__(self, actor: Actor) -> AsyncGenerator[Sequence[ItemView]]:
        """Return the items, batch by batch; raises PermissionDenied."""
        actor.require(Permission.ITEMS_READ)
        return self._read(actor)

    async def _read(self, actor: Actor) -> AsyncGenerator[Sequence[ItemView]]:
        after: Place | None = None
        while True:
            page = await self.items.page(
                actor.user_id, EVERY_ITEM, order=Order(ItemSort.CREATED_AT), limit=EXPORT_BATCH, after=after
            )
            if page.data:
                yield page.data
            if page.next is None:
                return
            after = page.next


def _item_of(row: Row, item_id: ItemId, actor: Actor, now: datetime) -> Item | tuple[FieldError, ...]:
    # What can't be read is not raised: an exception keeps a traceback for as long as somebody keeps the exception.
    if isinstance(row, Invalid):
        return row.errors
    try:
        return row.item(item_id, owner_id=actor.user_id, now=now)
    except Invalid as invalid:
        return invalid.errors


def _name(actor: Actor, name: bytes) -> bytes:
    return sha256(actor.user_id.bytes + name).digest()

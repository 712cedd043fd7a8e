"""Tables in memory, and units of work over them.

A unit sees what others committed plus its own changes, and nobody sees those before its commit. The first thing it
does takes the store's one write lock, as `BEGIN IMMEDIATE` does on SQLite, so that units which might change the same
row follow one another. Rows go in and come out as copies: changing an entity without saving it changes nothing.
"""

import asyncio
from collections import ChainMap
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar, Protocol

from application.ports import StandingChanges, StandingListener, StandingMemory, UnitOfWork
from domain.ids import UserId


class _Dataclass(Protocol):
    """What `dataclasses.replace` copies."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class _Deleted:
    """Stands in a unit's private changes for a row that it removed."""


_DELETED = _Deleted()


class MemoryStore:
    """What is committed. One store is one database."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[Any, Any]] = {}
        self.write_lock = asyncio.Lock()

    def table[Row](self, name: str, _: type[Row]) -> dict[Any, Row]:
        """Return the committed rows of a table, by primary key. To be read only, and copied."""
        return self.tables.setdefault(name, {})


class MemoryUnitOfWork(UnitOfWork):
    """Private changes over a store, until they are committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._changes: dict[str, dict[Any, Any]] = {}
        self._after_commit: list[Callable[[], None]] = []
        self._locked = False
        self._held = False
        self._committed = False
        self._committed_changes: dict[str, dict[Any, Any]] = {}
        self._committed_callbacks = 0

    async def table[Row: _Dataclass](self, name: str, kind: type[Row]) -> "MemoryTable[Row]":
        """Return a table as this unit sees it, having waited for the units before it."""
        if not self._locked:
            await self._store.write_lock.acquire()
            self._locked = True
        return MemoryTable(self._changes.setdefault(name, {}), self._store.table(name, kind))

    def remove_owned(self, owner_id: UserId) -> None:
        """Remove each row that belongs to this user, in whatever table, as `ON DELETE CASCADE` does in SQL."""
        for name in self._store.tables.keys() | self._changes.keys():
            changes = self._changes.setdefault(name, {})
            for key, row in list(ChainMap(changes, self._store.tables.get(name, {})).items()):
                if getattr(row, "owner_id", None) == owner_id or getattr(row, "user_id", None) == owner_id:
                    changes[key] = _DELETED

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this right after the commit, if there is one."""
        self._after_commit.append(callback)

    def hold(self) -> None:
        """Hold back what is committed from here on, until it is let go."""
        self._held = True

    async def let_go(self) -> None:
        """End the hold with the next commit still to come: what was not committed meanwhile never happened."""
        if not self._committed:
            await self.close()
        else:
            self._changes = self._committed_changes
            del self._after_commit[self._committed_callbacks :]
        self._held = self._committed = False

    async def commit(self) -> None:
        if self._held:
            self._committed = True
            self._committed_changes = {name: dict(changes) for name, changes in self._changes.items()}
            self._committed_callbacks = len(self._after_commit)
            return
        for name, changes in self._changes.items():
            committed = self._store.tables.setdefault(name, {})
            for key, row in changes.items():
                if row is _DELETED:
                    committed.pop(key, None)
                else:
                    committed[key] = row
        callbacks, self._after_commit = self._after_commit, []
        await self.close()
        for callback in callbacks:
            callback()

    async def close(self) -> None:
        """Let the next unit go on; what was not committed never happened."""
        self._changes = {}
        self._after_commit.clear()
        if self._locked:
            self._locked = False
            self._store.write_lock.release()


class MemoryTable[Row: _Dataclass]:
    """One table as one unit sees it."""

    def __init__(self, changes: dict[Any, Any], committed: dict[Any, Row]) -> None:
        self._changes = changes
        self._rows: ChainMap[Any, Any] = ChainMap(changes, committed)

    def get(self, key: object) -> Row | None:
        """Return a copy of the row with this key, or None."""
        row = self._rows.get(key, _DELETED)
        return None if row is _DELETED else replace(row)

    def __len__(self) -> int:
        return sum(row is not _DELETED for row in self._rows.values())

    def rows(self) -> Iterable[Row]:
        """Return copies of all rows."""
        return [replace(row) for row in self._rows.values() if row is not _DELETED]

    def put(self, key: object, row: Row) -> None:
        """Store a copy of the row."""
        self._changes[key] = replace(row)

    def remove(self, key: object) -> None:
        """Remove the row."""
        self._changes[key] = _DELETED


class MemoryStandingListener(StandingListener):
    """There is no other process to be heard."""

    async def run(self) -> None:
        return


class MemoryStandingChanges(StandingChanges):
    """Announces within this process, which is all there is."""

    def __init__(self, unit: MemoryUnitOfWork, memory: StandingMemory) -> None:
        self._unit = unit
        self._memory = memory

    async def announce(self, user_id: UserId) -> None:
        self._unit.after_commit(lambda: self._memory.forget(user_id))

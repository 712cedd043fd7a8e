"""Units of work on one connection, taken at the first statement and given back at the commit."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import sqlalchemy as sa

from adapters.sql.dialects import DialectName
from adapters.sql.errors import translated
from adapters.sql.lane import Lane, Result
from adapters.sql.plans import Parameters
from adapters.sql.pool import Pool
from application.ports import StandingChanges, StandingMemory, UnitOfWork
from domain.errors import Unavailable
from domain.ids import UserId

_MARK: tuple[sa.Executable, Parameters] = (sa.text("SAVEPOINT held_commit"), {})
_BACK: tuple[sa.Executable, Parameters] = (sa.text("ROLLBACK TO SAVEPOINT held_commit"), {})


class SqlUnitOfWork(UnitOfWork):
    """A transaction that begins with its first statement. SQLite's take the write lock then (`BEGIN IMMEDIATE`)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lane: Lane | None = None
        self._postponed: list[tuple[sa.Executable, Parameters]] = []
        self._after_commit: list[Callable[[], None]] = []
        self._held = False
        self._committed = False
        self._committed_callbacks = 0

    @property
    def dialect(self) -> DialectName:
        """Which the database speaks."""
        return self._pool.dialect

    async def execute(
        self, statement: sa.Executable, parameters: Parameters | Sequence[Parameters] | None = None
    ) -> Result:
        """Run a statement in this unit. Raises the domain's error for a broken constraint, or Unavailable."""
        await self._catch_up()
        return await self._execute(statement, {} if parameters is None else parameters)

    async def copy(self, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows to a table of PostgreSQL in this unit, faster than a statement can. Raises as `execute` does."""
        await self._catch_up()
        with translated():
            self._lane = self._lane or await self._begun()
            await self._lane.copy(table, columns, rows)

    def postpone(self, statement: sa.Executable, parameters: Parameters) -> None:
        """Have a statement run, of which nothing is awaited, before the next one of this unit or at its commit.

        Alone in its unit it is a transaction of its own then: one round trip instead of three. What `execute` would
        raise is raised when it runs.
        """
        self._postponed.append((statement, parameters))

    async def _catch_up(self) -> None:
        while self._postponed:
            await self._execute(*self._postponed.pop(0))

    async def _execute(self, statement: sa.Executable, parameters: Parameters | Sequence[Parameters]) -> Result:
        with translated():
            if self._lane is not None:
                return await self._lane.run(statement, parameters)
            self._lane = await self._begun()
            try:
                return await self._lane.run(statement, parameters)
            except asyncpg.InvalidCachedStatementError:
                # Somebody changed the schema, and this connection had planned for the old one. It has forgotten now,
                # and nothing else was done in this unit: the statement may simply be run again.
                await self._lane.roll_back()
                await self._lane.begin()
                return await self._lane.run(statement, parameters)

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
        elif _MARK in self._postponed:
            while self._postponed.pop() is not _MARK:
                pass
        elif self._lane is not None:
            self._postponed.clear()
            await self._execute(*_BACK)
        del self._after_commit[self._committed_callbacks :]
        self._held = self._committed = False

    async def commit(self) -> None:
        if self._held:
            self._committed = True
            self._committed_callbacks = len(self._after_commit)
            # Mostly nothing comes after it, and then it is never run.
            self._postponed.append(_MARK)
            return
        if self._lane is None and len(self._postponed) == 1:
            with translated():
                await self._pool.run(*self._postponed.pop())
        await self._catch_up()
        if self._lane is not None:
            with translated():
                await self._lane.commit()
            self._give_back()
        for callback in self._after_commit:
            callback()
        self._after_commit.clear()

    async def close(self) -> None:
        """Give the connection back; what was not committed never happened."""
        self._postponed.clear()
        self._after_commit.clear()
        if self._lane is not None:
            try:
                # If the connection is lost, so is the transaction, which is all that was wanted.
                with contextlib.suppress(Unavailable), translated():
                    await self._lane.roll_back()
            finally:
                self._give_back()

    async def _begun(self) -> Lane:
        lane = await self._pool.take()
        try:
            await lane.begin()
        except BaseException:
            self._pool.give_back(lane)
            raise
        return lane

    def _give_back(self) -> None:
        assert self._lane is not None
        lane, self._lane = self._lane, None
        self._pool.give_back(lane)


STANDING_CHANNEL = "portico_standing"
"""On which PostgreSQL tells every process whose standing has changed, by the user's id and nothing else."""

_NOTIFY = sa.select(sa.func.pg_notify(STANDING_CHANNEL, sa.bindparam("user_id", type_=sa.String())))


class SqlStandingChanges(StandingChanges):
    """Announces as the unit commits: in this process, and through PostgreSQL in all."""

    def __init__(self, unit: SqlUnitOfWork, memory: StandingMemory) -> None:
        self._unit = unit
        self._memory = memory

    async def announce(self, user_id: UserId) -> None:
        if self._unit.dialect == "postgresql":
            await self._unit.execute(_NOTIFY, {"user_id": str(user_id)})
        self._unit.after_commit(lambda: self._memory.forget(user_id))

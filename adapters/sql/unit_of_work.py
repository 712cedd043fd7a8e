"""Units of work on one connection, taken at the first statement and given back at the commit."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.sql.errors import is_stale_plan, translated
from application.ports import StandingChanges, StandingMemory, UnitOfWork
from domain.errors import Unavailable
from domain.ids import UserId

type Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class SqlUnitOfWork(UnitOfWork):
    """A transaction that begins with its first statement. SQLite's take the write lock then (`BEGIN IMMEDIATE`)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._after_commit: list[Callable[[], None]] = []
        self._held = False
        self._committed = False

    @property
    def dialect(self) -> str:
        """`postgresql` or `sqlite`."""
        return self._engine.dialect.name

    async def execute(
        self, statement: sa.Executable, parameters: Parameters | None = None
    ) -> sa.CursorResult[*tuple[Any, ...]]:
        """Run a statement in this unit. Raises the domain's error for a broken constraint, or Unavailable."""
        with translated():
            if self._connection is not None:
                return await self._connection.execute(statement, parameters)
            self._connection = await self._engine.connect()
            try:
                return await self._connection.execute(statement, parameters)
            except sa.exc.DBAPIError as error:
                if not is_stale_plan(error):
                    raise
                # Somebody changed the schema, and this connection had planned for the old one. It has forgotten now,
                # and nothing else was done in this unit: the statement may simply be run again.
                await self._connection.rollback()
                return await self._connection.execute(statement, parameters)

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
        self._held = self._committed = False

    async def commit(self) -> None:
        if self._held:
            self._committed = True
            return
        if self._connection is not None:
            with translated():
                await self._connection.commit()
            await self.close()
        for callback in self._after_commit:
            callback()
        self._after_commit.clear()

    async def close(self) -> None:
        """Give the connection back; what was not committed never happened."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            # If the connection is lost, so is the transaction, which is all that was wanted.
            with contextlib.suppress(Unavailable), translated():
                await connection.close()


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

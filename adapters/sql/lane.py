"""One connection, over which statements go to its driver as they are."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite
import asyncpg
import sqlalchemy as sa

from adapters.sql.plans import Parameters, Plan, Plans, Row, Statement

type Driver = "aiosqlite.Connection | asyncpg.Connection[asyncpg.Record]"
type Connect = Callable[[], Awaitable[Driver]]


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement returned: rows, if it returns any, and how many it found or changed."""

    rows: Sequence[Row]
    count: int

    def row(self) -> Row | None:
        """Return the only row, or None."""
        assert len(self.rows) <= 1
        return self.rows[0] if self.rows else None

    def value(self) -> Any:
        """Return the only value of the only row, or None."""
        row = self.row()
        return None if row is None else row[0]


@dataclass(slots=True)
class Lane:
    """A connection of a driver's, and until when it is used.

    It is sound as long as each call has returned, or has raised what the database answered. After a time-out or a
    cancellation nobody knows what it will still do: a `BEGIN` may be on its way, and would swallow what comes next.
    """

    driver: Driver
    plans: Plans
    until: float
    is_sound: bool = True

    def is_usable(self) -> bool:
        """Tell whether it may be used for another statement."""
        is_closed = isinstance(self.driver, asyncpg.Connection) and self.driver.is_closed()
        is_fit = self.is_sound and not is_closed and not self.is_in_transaction()
        return is_fit and asyncio.get_running_loop().time() < self.until

    def is_in_transaction(self) -> bool:
        """Tell whether a transaction is open, or failed and has not been ended."""
        if isinstance(self.driver, aiosqlite.Connection):
            return self.driver.in_transaction
        return self.driver.is_in_transaction()

    async def run(self, statement: Statement, parameters: Parameters | Sequence[Parameters]) -> Result:
        """Run a statement, or an insert for each of many parameters. Raises what the driver raises."""
        plan = self.plans.of(statement)
        if not isinstance(parameters, Sequence):
            arguments = plan.arguments(parameters)
            try:
                return await self._run_one(plan, arguments)
            except BaseException as error:
                self._judge(error)
                raise
        await self._call(self.driver.executemany(plan.sql, [plan.arguments(each) for each in parameters]))
        return Result((), len(parameters))

    async def copy(self, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows to a table of PostgreSQL by COPY. Raises what the driver raises."""
        assert isinstance(self.driver, asyncpg.Connection)
        await self._call(self.driver.copy_records_to_table(table.name, columns=columns, records=rows))

    async def begin(self) -> None:
        """Begin a transaction; SQLite's takes the lock for writing."""
        if isinstance(self.driver, aiosqlite.Connection):
            # Deferred transactions fail when two of them want to write; this one waits for its turn (busy_timeout).
            await self._call(self.driver.execute("BEGIN IMMEDIATE"))
        else:
            await self._call(self.driver.execute("BEGIN"))

    async def commit(self) -> None:
        """Commit the transaction. Raises InFailedSQLTransactionError if a statement in it had failed."""
        outcome = await self._call(self.driver.execute("COMMIT"))
        if outcome == "ROLLBACK":
            # PostgreSQL calls this a success.
            raise asyncpg.InFailedSQLTransactionError(
                "nothing was committed: a statement of the transaction had failed"
            )

    async def roll_back(self) -> None:
        """Roll the transaction back, unless the database has done so, or does when the connection is closed."""
        if self.is_sound and self.is_in_transaction():
            await self._call(self.driver.execute("ROLLBACK"))

    async def _call(self, call: Awaitable[object]) -> object:
        try:
            return await call
        except BaseException as error:
            self._judge(error)
            raise

    def _judge(self, error: BaseException) -> None:
        # SQLite's full-text index may hold on to what it saw when a statement failed outside a transaction, and the
        # connection could not write any more.
        is_answer = isinstance(error, asyncpg.PostgresError) or (
            isinstance(error, sqlite3.Error) and self.is_in_transaction()
        )
        self.is_sound = self.is_sound and is_answer

    async def _run_one(self, plan: Plan, arguments: Sequence[Any]) -> Result:
        driver = self.driver
        if isinstance(driver, aiosqlite.Connection):
            if plan.returns_rows:
                rows: list[Any] = list(await driver.execute_fetchall(plan.sql, arguments))
                return Result(plan.decoded(rows), len(rows))
            # What returns no rows is done by now: to close the cursor would be another trip to the driver's thread.
            return Result((), (await driver.execute(plan.sql, arguments)).rowcount)
        if not plan.returns_rows:
            status = await driver.execute(plan.sql, *arguments)
            return Result((), int(status.rpartition(" ")[2]))
        # Prepared once for each connection, and again after the schema changed under it.
        found = await driver.fetch(plan.sql, *arguments)
        return Result(plan.decoded(found), len(found))

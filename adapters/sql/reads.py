"""Reads for the query ports: storage to view in one mapping, without a transaction."""

from collections.abc import Callable, Mapping, Sequence
from itertools import starmap

import sqlalchemy as sa

from adapters.sql.dialects import DialectName
from adapters.sql.errors import translated
from adapters.sql.plans import Row, Statement
from adapters.sql.pool import Pool


class Reads:
    """Runs statements outside any transaction: no BEGIN, no ROLLBACK, one round trip each.

    Statements are constants with bound parameters, each compiled once.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def dialect(self) -> DialectName:
        """Which the database speaks."""
        return self._pool.dialect

    async def all[*Columns, View](
        self, statement: sa.Select[*Columns], view: Callable[[*Columns], View], **parameters: object
    ) -> list[View]:
        """Return a view of each row, its columns in the statement's order. Raises Unavailable."""
        return list(starmap(view, await self.rows(statement, parameters)))

    async def rows(self, statement: Statement, parameters: Mapping[str, object]) -> Sequence[Row]:
        """Return the rows, each with its columns in the statement's order. Raises Unavailable."""
        with translated():
            return (await self._pool.run(statement, parameters)).rows

    async def one[*Columns, View](
        self, statement: sa.Select[*Columns], view: Callable[[*Columns], View], **parameters: object
    ) -> View | None:
        """Return a view of the row, or None where there is none. Raises Unavailable."""
        views = await self.all(statement, view, **parameters)
        return views[0] if views else None

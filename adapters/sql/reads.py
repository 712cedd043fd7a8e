"""Reads for the query ports: storage to view in one mapping, without a transaction."""

from collections.abc import Callable
from itertools import starmap

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql.errors import is_stale_plan, translated


class Reads:
    """Runs statements on a connection that is taken for one statement and has no BEGIN or ROLLBACK round trips.

    Statements are constants, built once at import, with bound parameters: SQLAlchemy then compiles each once.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def all[*Columns, View](
        self, statement: sa.Select[*Columns], view: Callable[[*Columns], View], **parameters: object
    ) -> list[View]:
        """Return a view of each row, its columns in the statement's order. Raises Unavailable."""
        with translated():
            async with self._engine.connect() as connection:
                try:
                    result = await connection.execute(statement, parameters)
                except sa.exc.DBAPIError as error:
                    if not is_stale_plan(error):
                        raise
                    result = await connection.execute(statement, parameters)
                return list(starmap(view, result.all()))

    async def one[*Columns, View](
        self, statement: sa.Select[*Columns], view: Callable[[*Columns], View], **parameters: object
    ) -> View | None:
        """Return a view of the row, or None where there is none. Raises Unavailable."""
        views = await self.all(statement, view, **parameters)
        return views[0] if views else None

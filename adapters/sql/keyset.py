"""Keyset pagination over one table, for any sort key that an index serves."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from adapters.sql.reads import Reads
from application.paging import Order, Page, Place


class KeysetPages[Sort, *Columns]:
    """Pages of a selection, sorted by one of some keys, ties broken by id. No statement counts or skips rows."""

    def __init__(
        self,
        selection: sa.Select[*Columns],
        *,
        keys: Mapping[Sort, sa.ColumnElement[Any]],
        tie_break: sa.ColumnElement[Any],
    ) -> None:
        self._selection = selection
        self._keys = keys
        self._tie_break = tie_break

    async def page[View](
        self,
        reads: Reads,
        view: Callable[[*Columns], View],
        *conditions: sa.ColumnElement[bool],
        order: Order[Sort],
        limit: int,
        after: Place | None,
    ) -> Page[View]:
        """Return up to `limit` rows that meet the conditions, behind the place. Raises Unavailable."""
        key, tie_break = self._keys[order.by], self._tie_break
        statement = self._selection.where(*conditions)
        if after is not None:
            place = sa.tuple_(sa.literal(after.key, key.type), sa.literal(after.id, tie_break.type))
            row = sa.tuple_(key, tie_break)
            statement = statement.where(row < place if order.descending else row > place)
        directed = (key.desc(), tie_break.desc()) if order.descending else (key, tie_break)
        # One row more than asked for tells whether there is a next page.
        statement = statement.add_columns(key, tie_break).order_by(*directed).limit(limit + 1)
        rows = await reads.all(statement, lambda *columns: columns)
        data = [view(*row[:-2]) for row in rows[:limit]]
        more = len(rows) > limit
        return Page(data=data, next=Place(key=rows[limit - 1][-2], id=rows[limit - 1][-1]) if more else None)

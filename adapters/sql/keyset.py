"""Keyset pagination over one table, for any sort key that an index serves."""

from collections.abc import Callable, Mapping
from itertools import starmap
from typing import Any

import sqlalchemy as sa

from adapters.sql.plans import SKEWED
from adapters.sql.reads import Reads
from application.paging import Order, Page, Place

type _Shape[Sort] = tuple[tuple[str, ...], Order[Sort], bool]


class KeysetPages[Sort, *Columns]:
    """Pages of a selection, filtered, and sorted by one of some keys, ties broken by id. No statement skips rows.

    The keys and the id are among the columns selected. A filter is a condition with one parameter, which has the
    filter's name. Each combination of filters and order is one statement, built when it is first asked for.
    """

    def __init__(
        self,
        selection: sa.Select[*Columns],
        *,
        keys: Mapping[Sort, sa.ColumnElement[Any]],
        tie_break: sa.ColumnElement[Any],
        filters: Mapping[str, sa.ColumnElement[bool]] | None = None,
        skewed: frozenset[str] = frozenset(),
        nulls_first: bool = False,
    ) -> None:
        """`skewed` names the filters whose values decide which way to the rows is the shortest.

        `nulls_first` is for a PostgreSQL index that says so too, and serves no other list.
        """
        self._selection = selection
        self._keys = keys
        self._tie_break = tie_break
        self._filters = filters or {}
        self._skewed = skewed
        self._nulls_first = nulls_first
        positions = {column: at for at, column in enumerate(selection.selected_columns)}
        self._key_at = {sort: positions[key] for sort, key in keys.items()}
        self._id_at = positions[tie_break]
        self._statements: dict[_Shape[Sort], sa.Select[*tuple[Any, ...]]] = {}

    async def page[View](
        self,
        reads: Reads,
        view: Callable[[*Columns], View],
        filters: Mapping[str, object] | None = None,
        *,
        order: Order[Sort],
        limit: int,
        after: Place | None,
    ) -> Page[View]:
        """Return up to `limit` rows that meet the filters, but for those that are None. Raises Unavailable."""
        parameters = {name: value for name, value in (filters or {}).items() if value is not None}
        shape = (tuple(parameters), order, after is not None)
        statement = self._statements.get(shape)
        if statement is None:
            statement = self._statements[shape] = self._statement(*shape)
        if after is not None:
            parameters |= {"after_key": after.key, "after_id": after.id}
        # One row more than asked for tells whether there is a next page.
        parameters["rows"] = limit + 1
        rows = await reads.rows(statement, parameters)
        data = list(starmap(view, rows[:limit]))
        if len(rows) <= limit:
            return Page(data=data, next=None)
        last = rows[limit - 1]
        return Page(data=data, next=Place(key=last[self._key_at[order.by]], id=last[self._id_at]))

    def _statement(
        self,
        filters: tuple[str, ...],
        order: Order[Sort],
        is_behind_a_place: bool,  # noqa: FBT001 - part of the shape
    ) -> sa.Select[*tuple[Any, ...]]:
        key, tie_break = self._keys[order.by], self._tie_break
        statement = self._selection.where(*(self._filters[name] for name in filters))
        if is_behind_a_place:
            row = sa.tuple_(key, tie_break)
            place = sa.tuple_(sa.bindparam("after_key", type_=key.type), sa.bindparam("after_id", type_=tie_break.type))
            statement = statement.where(row < place if order.descending else row > place)
        directed = [key.desc(), tie_break.desc()] if order.descending else [key.asc(), tie_break.asc()]
        if self._nulls_first:
            directed[0] = directed[0].nulls_last() if order.descending else directed[0].nulls_first()
        rows = sa.bindparam("rows", type_=sa.Integer())
        statement = statement.execution_options(**{SKEWED: not self._skewed.isdisjoint(filters)})
        return statement.order_by(*directed).limit(rows)

"""Keyset pagination over one table, for any sort key that an index serves."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import starmap
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql.util import ClauseAdapter

from adapters.sql.plans import Deferred
from adapters.sql.reads import Reads
from application.paging import Order, Page, Place

type Condition = sa.ColumnElement[bool]
type Selection = sa.Select[*tuple[Any, ...]]

ROWS = sa.bindparam("rows", type_=sa.Integer())
"""How many rows a page has at most, and one more."""


class Shape[Sort](NamedTuple):
    """What the statement of a page depends on, but for its parameters."""

    filters: tuple[str, ...]
    order: Order[Sort]
    is_behind_a_place: bool


type Search[Sort, *Columns] = Callable[[KeysetPages[Sort, *Columns], Shape[Sort]], Selection | None]
"""Another way to the rows of a page than along the index of its order, or None for shapes for which there is none."""


class KeysetPages[Sort, *Columns]:
    """Pages of a selection, filtered, and sorted by one of some keys, ties broken by id. No statement skips rows.

    The keys and the id are among the columns selected. A filter is a condition with one parameter, which has the
    filter's name. Each combination of filters and order is one statement, made when it is first asked for.
    """

    def __init__(
        self,
        selection: sa.Select[*Columns],
        *,
        keys: Mapping[Sort, sa.ColumnElement[Any]],
        tie_break: sa.ColumnElement[Any],
        filters: Mapping[str, Condition] | None = None,
        nulls_first: bool = False,
        search: Search[Sort, *Columns] | None = None,
        bounds: Mapping[str, int] | None = None,
    ) -> None:
        """`nulls_first` is for a PostgreSQL index that says so too, and serves no other list.

        `bounds` are parameters of the search, the same for all pages.
        """
        self.selection = selection
        self.filters = filters or {}
        self._keys = keys
        self._tie_break = tie_break
        self._nulls_first = nulls_first
        self._search = search
        self._bounds = bounds or {}
        positions = {column: at for at, column in enumerate(selection.selected_columns)}
        self._key_at = {sort: positions[key] for sort, key in keys.items()}
        self._id_at = positions[tie_break]
        self._statements: dict[Shape[Sort], Deferred] = {}

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
        shape = Shape(tuple(parameters), order, after is not None)
        statement = self._statements.get(shape)
        if statement is None:
            statement = self._statements[shape] = Deferred(partial(self.statement, shape))
        if after is not None:
            parameters |= {"after_key": after.key, "after_id": after.id}
        # One row more than asked for tells whether there is a next page.
        rows = await reads.rows(statement, {**parameters, **self._bounds, "rows": limit + 1})
        data = list(starmap(view, rows[:limit]))
        if len(rows) <= limit:
            return Page(data=data, next=None)
        last = rows[limit - 1]
        return Page(data=data, next=Place(key=last[self._key_at[order.by]], id=last[self._id_at]))

    def statement(self, shape: Shape[Sort]) -> Selection:
        """Return the statement for pages of a shape."""
        found = None if self._search is None else self._search(self, shape)
        return self.first(self.conditions(shape), shape.order) if found is None else found

    def first(self, conditions: Sequence[Condition], order: Order[Sort]) -> sa.Select[*Columns]:
        """Select the first rows that meet the conditions, along the index of the order."""
        return self.selection.where(*conditions).order_by(*self.directed(order)).limit(ROWS)

    def either(self, parts: Sequence[Selection], order: Order[Sort]) -> Selection:
        """Select the rows of parts, of which all but one are empty."""
        either = sa.union_all(*parts).subquery("either")
        directed = ClauseAdapter(either)
        return sa.select(either).order_by(*(directed.traverse(column) for column in self.directed(order)))

    def conditions(self, shape: Shape[Sort]) -> list[Condition]:
        """Return what rows of the pages of a shape meet."""
        filters, order, is_behind_a_place = shape
        conditions = [self.filters[name] for name in filters]
        if is_behind_a_place:
            key, tie_break = self.key(order)
            row = sa.tuple_(key, tie_break)
            place = sa.tuple_(sa.bindparam("after_key", type_=key.type), sa.bindparam("after_id", type_=tie_break.type))
            conditions.append(row < place if order.descending else row > place)
        return conditions

    def key(self, order: Order[Sort]) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
        """Return the columns that rows are ordered by."""
        return self._keys[order.by], self._tie_break

    def directed(self, order: Order[Sort]) -> list[sa.ColumnElement[Any]]:
        """Return the same in their direction."""
        key, tie_break = self.key(order)
        if order.descending:
            return [key.desc().nulls_last() if self._nulls_first else key.desc(), tie_break.desc()]
        return [key.asc().nulls_first() if self._nulls_first else key.asc(), tie_break.asc()]

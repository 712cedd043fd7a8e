"""Keyset pagination over one table, for any sort key that an index serves."""

from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql.util import ClauseAdapter

from adapters.sql.reads import Reads
from application.paging import Order, Page, Place

type Condition = sa.ColumnElement[bool]
type Selection = sa.Select[*tuple[Any, ...]]

ROWS = sa.bindparam("rows", type_=sa.Integer())


class Shape[Sort](NamedTuple):
    """What the statement of a page depends on, but for its parameters."""

    filters: tuple[str, ...]
    order: Order[Sort]
    is_behind_a_place: bool


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
        filters: Mapping[str, Condition] | None = None,
        nulls_first: bool = False,
    ) -> None:
        """`nulls_first` is for a PostgreSQL index that says so too, and serves no other list."""
        self._selection = selection
        self._keys = keys
        self._tie_break = tie_break
        self._filters = filters or {}
        self._nulls_first = nulls_first
        positions = {column: at for at, column in enumerate(selection.selected_columns)}
        self._key_at = {sort: positions[key] for sort, key in keys.items()}
        self._id_at = positions[tie_break]
        self._statements: dict[Shape[Sort], Selection] = {}

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
            statement = self._statements[shape] = self.statement(shape)
        if after is not None:
            parameters |= {"after_key": after.key, "after_id": after.id}
        # One row more than asked for tells whether there is a next page.
        rows = await reads.rows(statement, {**parameters, **self.bounds(), "rows": limit + 1})
        data = list(starmap(view, rows[:limit]))
        if len(rows) <= limit:
            return Page(data=data, next=None)
        last = rows[limit - 1]
        return Page(data=data, next=Place(key=last[self._key_at[order.by]], id=last[self._id_at]))

    def statement(self, shape: Shape[Sort]) -> Selection:
        """Return the statement for pages of a shape."""
        return self._first(self._conditions(shape), shape.order)

    def bounds(self) -> Mapping[str, int]:
        """Return the parameters that statements have whatever is asked for."""
        return {}

    def _first(self, conditions: Sequence[Condition], order: Order[Sort]) -> sa.Select[*Columns]:
        return self._selection.where(*conditions).order_by(*self._directed(order)).limit(ROWS)

    def _either(self, parts: Sequence[Selection], order: Order[Sort]) -> Selection:
        """Return the rows of parts that are pages themselves, of which all but one are empty."""
        either = sa.union_all(*parts).subquery("either")
        directed = ClauseAdapter(either)
        return sa.select(either).order_by(*(directed.traverse(column) for column in self._directed(order)))

    def _conditions(self, shape: Shape[Sort]) -> list[Condition]:
        filters, order, is_behind_a_place = shape
        conditions = [self._filters[name] for name in filters]
        if is_behind_a_place:
            key, tie_break = self._keys[order.by], self._tie_break
            row = sa.tuple_(key, tie_break)
            place = sa.tuple_(sa.bindparam("after_key", type_=key.type), sa.bindparam("after_id", type_=tie_break.type))
            conditions.append(row < place if order.descending else row > place)
        return conditions

    def _directed(self, order: Order[Sort]) -> list[sa.ColumnElement[Any]]:
        key, tie_break = self._keys[order.by], self._tie_break
        if order.descending:
            return [key.desc().nulls_last() if self._nulls_first else key.desc(), tie_break.desc()]
        return [key.asc().nulls_first() if self._nulls_first else key.asc(), tie_break.asc()]

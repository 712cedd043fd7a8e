"""Keyset pagination over one table, for any sort key that an index serves."""

from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.util import ClauseAdapter
from sqlalchemy.sql.visitors import iterate

from adapters.sql.reads import Reads
from application.paging import Order, Page, Place

NEAREST = 2_000
"""Rows that are looked at in the order asked for, before any other way to what is sought."""

RARE = 5
"""Where fewer than so many of the nearest rows are found, few of all rows are expected to be."""

type _Condition = sa.ColumnElement[bool]
type _Shape[Sort] = tuple[tuple[str, ...], Order[Sort], bool]

_ROWS = sa.bindparam("rows", type_=sa.Integer())
_NEAREST = sa.bindparam("nearest", type_=sa.Integer())
_RARE = sa.bindparam("rare", type_=sa.Integer())

_series = sa.func.generate_series(1, sa.bindparam("none", 0, type_=sa.Integer()))
_DEAR_UNLESS_KNOWN = sa.select(sa.func.count()).select_from(*(_series.alias() for _ in range(4))).scalar_subquery() == 0
"""Always true, at no cost to speak of. A plan for whatever the parameters are has to expect 1,000 rows of each series,
and so is never the cheaper one: PostgreSQL, which would soon settle on it, makes a plan for the parameters each time.
"""


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
        within: sa.ColumnElement[Any] | None = None,
        sought: frozenset[str] = frozenset(),
        nulls_first: bool = False,
    ) -> None:
        """`sought` names the filters that few rows may meet, or many, and PostgreSQL can't tell which.

        Where there are any, `within` is the column that the indexes begin with that serve lists with a filter on it.

        `nulls_first` is for a PostgreSQL index that says so too, and serves no other list.
        """
        self._selection = selection
        self._keys = keys
        self._tie_break = tie_break
        self._filters = filters or {}
        self._within = within
        self._sought = sought
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
        parameters |= {"rows": limit + 1, "nearest": NEAREST, "rare": RARE}
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
        conditions = [self._filters[name] for name in filters]
        if is_behind_a_place:
            row = sa.tuple_(key, tie_break)
            place = sa.tuple_(sa.bindparam("after_key", type_=key.type), sa.bindparam("after_id", type_=tie_break.type))
            conditions.append(row < place if order.descending else row > place)
        sought = [self._filters[name] for name in filters if name in self._sought]
        return self._nearest_first(conditions, sought, order) if sought else self._page(conditions, order)

    def _page(self, conditions: Sequence[_Condition], order: Order[Sort]) -> sa.Select[*Columns]:
        return self._selection.where(*conditions).order_by(*self._directed(order)).limit(_ROWS)

    def _nearest_first(
        self, conditions: Sequence[_Condition], sought: Sequence[_Condition], order: Order[Sort]
    ) -> sa.Select[*tuple[Any, ...]]:
        """Return the same as `_page`, whose rows are found in one of three ways.

        The nearest fill a page with what many rows have. Where they don't, PostgreSQL decides; but if what is sought
        seems to be rare, the condition is stated twice, as the planner multiplies the selectivities of both.
        """
        along = [condition for condition in conditions if self._is_along(condition, order)]
        others = [condition for condition in conditions if not self._is_along(condition, order)]
        (table,) = self._selection.get_final_froms()
        nearest = sa.select(table).where(*along).order_by(*self._directed(order)).limit(_NEAREST).subquery("nearest")
        near = ClauseAdapter(nearest).traverse(self._page(others, order)).cte("near")
        found = sa.select(sa.func.count()).select_from(near).scalar_subquery()
        more = [*conditions, found < _ROWS]
        several = self._page([*more, found >= _RARE], order).cte("several")
        few = self._page([*more, found < _RARE, *sought], order).cte("few")
        either = sa.select(near).where(found == _ROWS).union_all(sa.select(several), sa.select(few)).subquery("either")
        directed = ClauseAdapter(either)
        in_order = [directed.traverse(column) for column in self._directed(order)]
        return sa.select(either).where(_DEAR_UNLESS_KNOWN).order_by(*in_order)

    def _is_along(self, condition: _Condition, order: Order[Sort]) -> bool:
        """Tell whether the index of the order leads straight to the rows that meet a condition."""
        columns = {part for part in iterate(condition) if isinstance(part, sa.Column)}
        return columns <= {self._within, self._keys[order.by], self._tie_break}

    def _directed(self, order: Order[Sort]) -> list[sa.ColumnElement[Any]]:
        key, tie_break = self._keys[order.by], self._tie_break
        if order.descending:
            return [key.desc().nulls_last() if self._nulls_first else key.desc(), tie_break.desc()]
        return [key.asc().nulls_first() if self._nulls_first else key.asc(), tie_break.asc()]

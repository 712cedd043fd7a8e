"""Pages of PostgreSQL of what is sought, where the planner can't tell what is rare."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.util import ClauseAdapter
from sqlalchemy.sql.visitors import iterate

from adapters.sql.keyset import ROWS, Condition, KeysetPages, Selection, Shape
from application.paging import Order

NEAREST = 2_000
"""Rows that are looked at in the order asked for, before any other way to what is sought."""

RARE = 5
"""Where fewer than so many of the nearest rows are found, few of all rows are expected to be."""

_NEAREST = sa.bindparam("nearest", type_=sa.Integer())
_RARE = sa.bindparam("rare", type_=sa.Integer())

_series = sa.func.generate_series(1, sa.bindparam("none", 0, type_=sa.Integer()))
_DEAR_UNLESS_KNOWN = sa.select(sa.func.count()).select_from(*(_series.alias() for _ in range(4))).scalar_subquery() == 0
"""Always true, at no cost to speak of. A plan for whatever the parameters are has to expect 1,000 rows of each series,
and so is never the cheaper one: PostgreSQL, which would soon settle on it, makes a plan for the parameters each time.
"""


class NearestFirst[Sort, *Columns](KeysetPages[Sort, *Columns]):
    """Looks for what is sought among the nearest rows, before PostgreSQL decides how to look for it among all."""

    def __init__(
        self,
        selection: sa.Select[*Columns],
        *,
        keys: Mapping[Sort, sa.ColumnElement[Any]],
        tie_break: sa.ColumnElement[Any],
        filters: Mapping[str, Condition],
        sought: frozenset[str],
        within: sa.ColumnElement[Any],
        nulls_first: bool = False,
    ) -> None:
        """`sought` names the filters that few rows may meet, or many, and PostgreSQL can't tell which.

        `within` is the column that the indexes begin with that serve lists with a filter on it.
        """
        super().__init__(selection, keys=keys, tie_break=tie_break, filters=filters, nulls_first=nulls_first)
        self._sought = sought
        self._within = within

    def statement(self, shape: Shape[Sort]) -> Selection:
        """Return what finds the rows in one of three ways.

        The nearest fill a page with what many rows have. Where they don't, PostgreSQL decides; but if what is sought
        seems to be rare, its conditions are stated twice, as the planner multiplies the selectivities of all.
        """
        sought = [self._filters[name] for name in shape.filters if name in self._sought]
        if not sought:
            return super().statement(shape)
        conditions, order = self._conditions(shape), shape.order
        along = [condition for condition in conditions if self._is_along(condition, order)]
        others = [condition for condition in conditions if not self._is_along(condition, order)]
        (table,) = self._selection.get_final_froms()
        nearest = sa.select(table).where(*along).order_by(*self._directed(order)).limit(_NEAREST).subquery("nearest")
        near = ClauseAdapter(nearest).traverse(self._first(others, order)).cte("near")
        found = sa.select(sa.func.count()).select_from(near).scalar_subquery()
        more = [*conditions, found < ROWS]
        several = self._first([*more, found >= _RARE], order).cte("several")
        few = self._first([*more, found < _RARE, *sought], order).cte("few")
        parts = [sa.select(near).where(found == ROWS), sa.select(several), sa.select(few)]
        return self._either(parts, order).where(_DEAR_UNLESS_KNOWN)

    def bounds(self) -> Mapping[str, int]:
        return {"nearest": NEAREST, "rare": RARE}

    def _is_along(self, condition: Condition, order: Order[Sort]) -> bool:
        """Tell whether the index of the order leads straight to the rows that meet a condition."""
        columns = {part for part in iterate(condition) if isinstance(part, sa.Column)}
        return columns <= {self._within, self._keys[order.by], self._tie_break}

"""How PostgreSQL looks for what it can't tell the rarity of."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.util import ClauseAdapter
from sqlalchemy.sql.visitors import iterate

from adapters.sql.keyset import ROWS, KeysetPages, Selection, Shape

NEAREST = 500
"""Rows that are looked at in the order asked for, before any other way to what is sought."""

RARE = 2
"""Where fewer than so many of the nearest rows are found, few of all rows are expected to be."""

NEAREST_BOUNDS = {"nearest": NEAREST, "rare": RARE}
"""The parameters of the search."""

_NEAREST = sa.bindparam("nearest", type_=sa.Integer())
_RARE = sa.bindparam("rare", type_=sa.Integer())

_series = sa.func.generate_series(1, sa.bindparam("none", 0, type_=sa.Integer()))
_DEAR_UNLESS_KNOWN = sa.select(sa.func.count()).select_from(*(_series.alias() for _ in range(4))).scalar_subquery() == 0
"""Always true, at no cost to speak of. A plan for whatever the parameters are has to expect 1,000 rows of each series,
and so more of all than any table has. It never is the cheaper one, and PostgreSQL, which would soon settle on it, makes
a plan for the parameters each time.
"""


@dataclass(frozen=True, slots=True)
class NearestFirst:
    """Looks among the nearest rows, before PostgreSQL decides how to look among all."""

    sought: frozenset[str]
    """The filters that few rows may meet, or many, and PostgreSQL can't tell which."""

    within: sa.ColumnElement[Any]
    """The column that the indexes begin with that serve lists with a filter on it."""

    def __call__[Sort, *Columns](self, pages: KeysetPages[Sort, *Columns], shape: Shape[Sort]) -> Selection | None:
        """Return what finds the rows in one of three ways, if any are sought.

        The nearest fill a page with what many rows have. Where they don't, PostgreSQL decides; but if what is sought
        seems to be rare, its conditions are stated twice, as the planner multiplies the selectivities of all.
        """
        sought = [pages.filters[name] for name in shape.filters if name in self.sought]
        if not sought:
            return None
        conditions, order = pages.conditions(shape), shape.order
        # To these the index of the order leads straight.
        served = {self.within, *pages.key(order)}
        along = [condition for condition in conditions if _columns_of(condition) <= served]
        others = [condition for condition in conditions if not _columns_of(condition) <= served]
        (table,) = pages.selection.get_final_froms()
        nearest = sa.select(table).where(*along).order_by(*pages.directed(order)).limit(_NEAREST).subquery("nearest")
        near = ClauseAdapter(nearest).traverse(pages.first(others, order)).cte("near")
        found = sa.select(sa.func.count()).select_from(near).scalar_subquery()
        more = [*conditions, found < ROWS]
        several = pages.first([*more, found >= _RARE], order).cte("several")
        few = pages.first([*more, found < _RARE, *sought], order).cte("few")
        parts = [sa.select(near).where(found == ROWS), sa.select(several), sa.select(few)]
        return pages.either(parts, order).where(_DEAR_UNLESS_KNOWN)


def _columns_of(condition: sa.ColumnElement[bool]) -> set[sa.Column[Any]]:
    return {part for part in iterate(condition) if isinstance(part, sa.Column)}

"""Keyset pages over rows in memory: the reference model of the SQL ones."""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from application.paging import Order, Page, Place


def page_of[Row, Sort, View](
    rows: Iterable[Row],
    view: Callable[[Row], View],
    *,
    key: Callable[[Row], datetime | str],
    tie_break: Callable[[Row], UUID],
    order: Order[Sort],
    limit: int,
    after: Place | None,
) -> Page[View]:
    """Return up to `limit` rows in this order, behind the place."""

    def place(row: Row) -> tuple[datetime | str, UUID]:
        return key(row), tie_break(row)

    ordered = sorted(rows, key=place, reverse=order.descending)
    if after is not None:
        start = (after.key, after.id)
        ordered = [row for row in ordered if (place(row) < start if order.descending else place(row) > start)]
    data = ordered[:limit]
    more = len(ordered) > limit
    return Page(data=[view(row) for row in data], next=Place(*place(data[-1])) if more else None)

"""Items in SQL: how they are found.

PostgreSQL is told the conditions and decides itself; only texts and tags, of which it can't tell all rare ones, are
looked for in the nearest items first. SQLite keeps no statistics, so that it is told the way:

=====================================  ==========================================================================
what is looked for                     the way
=====================================  ==========================================================================
nothing in particular                  along the index of the order, from the place on, as long as the page needs
what few items have (`FEW` or fewer)   all of those, by the index of tags or of trigrams, and then sorted
what many items have, or a text of     along the index of the order, looking at each: if many match, the page is
under three characters                 soon full
=====================================  ==========================================================================
"""

from typing import Any

import sqlalchemy as sa

from adapters.sql.base import ESCAPE, containing
from adapters.sql.items import ITEMS
from adapters.sql.keyset import ROWS, Condition, KeysetPages, Selection, Shape
from adapters.sql.nearest_first import NEAREST_BOUNDS, NearestFirst
from adapters.sql.reads import Reads
from application.items.ports import ItemFilter, ItemQueries, ItemSort
from application.items.views import ItemView
from application.paging import Order, Page, Place
from domain.ids import ItemId, UserId
from domain.items.errors import ItemNotFound
from domain.text import fold

FEW = 4_000
"""Items that SQLite may fetch and sort for a page; with more that match, looking at each fills the page sooner."""

FEW_BOUNDS = {"most": FEW + 1}
"""The parameters of SQLite's search: how many candidates are looked for."""

TRIGRAM = 3
"""Characters of which SQLite's full-text index has entries: no shorter text can be looked up in it."""

_c = ITEMS.c
_Q = sa.bindparam("q", type_=sa.String())
_TAG = sa.bindparam("tag", type_=sa.String())


def _view(items: Any) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(
        items.id,
        items.owner_id,
        items.title,
        items.description,
        items.tags,
        items.created_at,
        items.updated_at,
        items.version,
    )


_ONE = _view(_c).where(_c.id == sa.bindparam("id"), _c.owner_id == sa.bindparam("owner_id"))


def _keys(items: Any) -> dict[ItemSort, sa.ColumnElement[Any]]:
    return {
        ItemSort.CREATED_AT: items.created_at,
        ItemSort.UPDATED_AT: items.updated_at,
        ItemSort.TITLE: items.title,
    }


def _filters(items: Any, *, q: Condition, tag: Condition) -> dict[str, Condition]:
    return {
        "owner_id": items.owner_id == sa.bindparam("owner_id"),
        "q": q,
        "tag": tag,
        "created_after": items.created_at > sa.bindparam("created_after"),
        "created_before": items.created_at < sa.bindparam("created_before"),
    }


# --- PostgreSQL


def _on_postgresql(*, nulls_first: bool) -> KeysetPages[ItemSort, *tuple[Any, ...]]:
    by_index = {
        "q": _c.search_text.like(_Q, escape=ESCAPE),
        "tag": _c.tags.op("@>", is_comparison=True)(sa.bindparam("tag", type_=sa.ARRAY(sa.String()))),
    }
    return KeysetPages(
        _view(_c),
        keys=_keys(_c),
        tie_break=_c.id,
        filters=_filters(_c, **by_index),
        nulls_first=nulls_first,
        search=NearestFirst(sought=frozenset(by_index), within=_c.owner_id),
        bounds=NEAREST_BOUNDS,
    )


_POSTGRESQL = _on_postgresql(nulls_first=False)
_POSTGRESQL_ANYBODYS = _on_postgresql(nulls_first=True)


# --- SQLite

type _Limit = sa.ColumnElement[int] | int

_MOST = sa.bindparam("most", type_=sa.Integer())
_ROW: sa.ColumnElement[int] = sa.literal_column("items.search_row", sa.Integer()).label("search_row")
_tags = sa.table("item_tags", sa.column("tag"), sa.column("owner_id", sa.Uuid()), sa.column("search_row"))
_texts = sa.table("items_search", sa.column("rowid", sa.Integer()))
_TAGGED = sa.select(_tags.c.search_row).where(_tags.c.tag == _TAG)
_WITH_THE_TEXT = sa.select(_texts.c.rowid.label("search_row")).where(
    sa.literal_column("items_search").op("MATCH", is_comparison=True)(sa.bindparam("match", type_=sa.String()))
)


def _looking_at_each(items: Any, row: sa.ColumnElement[int]) -> dict[str, Condition]:
    tagged = sa.exists().where(_tags.c.tag == _TAG, _tags.c.owner_id == items.owner_id, _tags.c.search_row == row)
    # `match` says where to look, and is no condition: what the full-text index finds has the trigrams in any order.
    return _filters(items, q=sa.func.instr(items.search_text, _Q) > 0, tag=tagged) | {"match": sa.true()}


def _few_or_each(pages: KeysetPages[ItemSort, *tuple[Any, ...]], shape: Shape[ItemSort]) -> Selection | None:
    """Fetch and sort the few that may be what is looked for, or else look at each in the order asked for."""
    candidates = _candidates(shape.filters)
    if candidates is None:
        return None
    rows = sa.select(candidates.c.search_row).limit(_if_few(candidates, _MOST, 0))
    # Materialized, so that the owner's index is not walked in search of the few.
    found = _once(sa.select(*_c, _ROW).where(_ROW.in_(rows)), "found")
    filters = _looking_at_each(found.c, found.c.search_row)
    few = KeysetPages(_view(found.c), keys=_keys(found.c), tie_break=found.c.id, filters=filters).statement(shape)
    # A condition that is false for all rows would be tested on each; a limit of 0 is not.
    each = pages.first(pages.conditions(shape), shape.order).limit(_if_few(candidates, 0, ROWS))
    return pages.either([sa.select(few.cte("few")), sa.select(each.cte("many"))], shape.order)


def _candidates(filters: tuple[str, ...]) -> sa.CTE | None:
    """Return the rows among which all are that are looked for, unless they are too many; None if any may be."""
    tagged: sa.CTE | None = None
    if "tag" in filters:
        rows = _TAGGED.where(_tags.c.owner_id == sa.bindparam("owner_id")) if "owner_id" in filters else _TAGGED
        tagged = _once(rows.limit(_MOST), "tagged")
    if "match" not in filters:
        return tagged
    if tagged is None:
        return _once(_WITH_THE_TEXT.limit(_MOST), "texts")
    texts = _once(_WITH_THE_TEXT.limit(_if_few(tagged, 0, _MOST)), "texts")
    few_tagged = sa.select(tagged.c.search_row).limit(_if_few(tagged, _MOST, 0)).subquery()
    return _once(sa.union_all(sa.select(few_tagged), sa.select(texts)), "candidates")


def _once(rows: sa.SelectBase, name: str) -> sa.CTE:
    """Have rows read once, however often they are asked for."""
    return rows.cte(name).prefix_with("MATERIALIZED")


def _if_few(candidates: sa.CTE, then: _Limit, otherwise: _Limit) -> sa.ScalarSelect[int]:
    few = sa.func.count() < _MOST
    return sa.select(sa.case((few, then), else_=otherwise)).select_from(candidates).scalar_subquery()


_SQLITE = KeysetPages(
    _view(_c),
    keys=_keys(_c),
    tie_break=_c.id,
    filters=_looking_at_each(_c, _ROW),
    search=_few_or_each,
    bounds=FEW_BOUNDS,
)


def _every_trigram_of(text: str) -> str:
    """Return the full-text query for what may contain the text; the order of the trigrams is for others to look at."""
    trigrams = dict.fromkeys(text[at : at + TRIGRAM] for at in range(len(text) - TRIGRAM + 1))
    return " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in trigrams)


class SqlItemQueries(ItemQueries):
    """Items, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, owner_id: UserId, item_id: ItemId) -> ItemView:
        view = await self._reads.one(_ONE, ItemView, id=item_id, owner_id=owner_id)
        if view is None:
            raise ItemNotFound
        return view

    async def page(
        self, owner_id: UserId, which: ItemFilter, *, order: Order[ItemSort], limit: int, after: Place | None
    ) -> Page[ItemView]:
        return await self._page(owner_id, which, order=order, limit=limit, after=after)

    async def page_of_all(
        self, which: ItemFilter, *, order: Order[ItemSort], limit: int, after: Place | None
    ) -> Page[ItemView]:
        return await self._page(None, which, order=order, limit=limit, after=after)

    async def _page(
        self, owner_id: UserId | None, which: ItemFilter, *, order: Order[ItemSort], limit: int, after: Place | None
    ) -> Page[ItemView]:
        text = None if which.q is None else fold(which.q)
        filters: dict[str, object] = {
            "owner_id": owner_id,
            "q": text,
            "tag": which.tag,
            "created_after": which.created_after,
            "created_before": which.created_before,
        }
        pages: KeysetPages[ItemSort, *tuple[Any, ...]]
        if self._reads.dialect == "postgresql":
            pages = _POSTGRESQL_ANYBODYS if owner_id is None else _POSTGRESQL
            filters["q"] = None if text is None else containing(text)
            filters["tag"] = None if which.tag is None else [which.tag]
        else:
            pages = _SQLITE
            filters["match"] = None if text is None or len(text) < TRIGRAM else _every_trigram_of(text)
        return await pages.page(self._reads, ItemView, filters, order=order, limit=limit, after=after)

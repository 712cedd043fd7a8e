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

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from adapters.sql.base import ESCAPE, containing
from adapters.sql.items import ITEMS
from adapters.sql.keyset import KeysetPages
from adapters.sql.reads import Reads
from application.items.ports import ItemFilter, ItemQueries, ItemSort
from application.items.views import ItemView
from application.paging import Order, Page, Place
from domain.ids import ItemId, UserId
from domain.items.errors import ItemNotFound
from domain.text import fold

FEW = 4_000
"""Items that SQLite may fetch and sort for a page; with more that match, looking at each fills the page sooner."""

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


def _pages(
    items: Any,
    filters: Mapping[str, sa.ColumnElement[bool]],
    *,
    sought: frozenset[str] = frozenset(),
    nulls_first: bool = False,
) -> KeysetPages[ItemSort, *tuple[Any, ...]]:
    """Return pages of items, selected from something that has their columns."""
    return KeysetPages(
        _view(items),
        keys={
            ItemSort.CREATED_AT: items.created_at,
            ItemSort.UPDATED_AT: items.updated_at,
            ItemSort.TITLE: items.title,
        },
        tie_break=items.id,
        filters={
            "owner_id": items.owner_id == sa.bindparam("owner_id"),
            "created_after": items.created_at > sa.bindparam("created_after"),
            "created_before": items.created_at < sa.bindparam("created_before"),
            **filters,
        },
        within=items.owner_id,
        sought=sought,
        nulls_first=nulls_first,
    )


# --- PostgreSQL

_BY_INDEX = {
    "q": _c.search_text.like(_Q, escape=ESCAPE),
    "tag": _c.tags.op("@>", is_comparison=True)(sa.bindparam("tag", type_=sa.ARRAY(sa.String()))),
}
_POSTGRESQL = _pages(_c, _BY_INDEX, sought=frozenset(_BY_INDEX))
_POSTGRESQL_ANYBODYS = _pages(_c, _BY_INDEX, sought=frozenset(_BY_INDEX), nulls_first=True)


# --- SQLite

_ROW = sa.literal_column("items.search_row", sa.Integer())
_tags = sa.table("item_tags", sa.column("tag"), sa.column("owner_id", sa.Uuid()), sa.column("search_row"))
_texts = sa.table("items_search", sa.column("rowid", sa.Integer()))
_each = sa.func.json_each(sa.bindparam("found", type_=sa.String())).table_valued("value")
# Materialized, so that the owner's index is not walked in search of the few.
_found = (sa.select(*_c, _ROW.label("search_row")).where(_ROW.in_(sa.select(_each.c.value))).cte("found")).prefix_with(
    "MATERIALIZED"
)


def _looking_at_each(items: Any, row: sa.ColumnElement[int]) -> dict[str, sa.ColumnElement[bool]]:
    tagged = sa.exists().where(_tags.c.tag == _TAG, _tags.c.owner_id == items.owner_id, _tags.c.search_row == row)
    return {"q": sa.func.instr(items.search_text, _Q) > 0, "tag": tagged}


_SQLITE = _pages(_c, _looking_at_each(_c, _ROW))
_SQLITE_FEW = _pages(_found.c, {"found": sa.true(), **_looking_at_each(_found.c, _found.c.search_row)})
_MOST = sa.bindparam("most", type_=sa.Integer())
_TEXTS_WITH = (
    sa.select(_texts.c.rowid)
    .where(sa.literal_column("items_search").op("MATCH", is_comparison=True)(sa.bindparam("match", type_=sa.String())))
    .limit(_MOST)
)
_TAGGED = sa.select(_tags.c.search_row).where(_tags.c.tag == _TAG).limit(_MOST)
_TAGGED_OF = _TAGGED.where(_tags.c.owner_id == sa.bindparam("owner_id"))


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
        if self._reads.dialect == "postgresql":
            pages = _POSTGRESQL_ANYBODYS if owner_id is None else _POSTGRESQL
            filters["q"] = None if text is None else containing(text)
            filters["tag"] = None if which.tag is None else [which.tag]
        elif (few := await self._few(owner_id, text=text, tag=which.tag)) is not None:
            pages, filters["found"] = _SQLITE_FEW, json.dumps(few)
        else:
            pages = _SQLITE
        return await pages.page(self._reads, ItemView, filters, order=order, limit=limit, after=after)

    async def _few(self, owner_id: UserId | None, *, text: str | None, tag: str | None) -> list[int] | None:
        """Return the rows among which all are that are looked for, or None where there are too many of them."""
        few: list[int] | None = None
        if tag is not None:
            statement, of_owner = (_TAGGED, {}) if owner_id is None else (_TAGGED_OF, {"owner_id": owner_id})
            few = await self._reads.all(statement, int, tag=tag, most=FEW + 1, **of_owner)
        if (few is None or len(few) > FEW) and text is not None and len(text) >= TRIGRAM:
            few = await self._reads.all(_TEXTS_WITH, int, match=_every_trigram_of(text), most=FEW + 1)
        return few if few is not None and len(few) <= FEW else None

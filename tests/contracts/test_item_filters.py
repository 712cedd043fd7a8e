"""Which items are listed: what is in memory is the model, and both databases have to find the same."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from dishka import AsyncContainer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.memory.items import ITEMS, MemoryItemQueries
from adapters.memory.store import MemoryStore
from adapters.sql.item_queries import FEW, FEW_BOUNDS
from adapters.sql.nearest_first import NEAREST, NEAREST_BOUNDS, RARE
from application.items.ports import EVERY_ITEM, ItemFilter, ItemQueries, ItemSort
from application.items.views import ItemView
from application.paging import Order, Page, Place
from domain.ids import UserId
from domain.items.item import Item, parse_description, parse_tags, parse_title
from domain.users.user import User
from tests.builders import A_DAY_LATER, a_user, an_item
from tests.clock import NOW
from tests.units import a_unit, store

OLDEST_FIRST = Order(ItemSort.CREATED_AT)


async def walk(
    items: ItemQueries,
    owner_id: UserId | None,
    which: ItemFilter,
    order: Order[ItemSort] = OLDEST_FIRST,
    *,
    limit: int = 3,
) -> list[ItemView]:
    """Return all rows of all pages: an owner's, or everybody's."""
    rows: list[ItemView] = []
    place: Place | None = None
    while True:
        page: Page[ItemView] = (
            await items.page_of_all(which, order=order, limit=limit, after=place)
            if owner_id is None
            else await items.page(owner_id, which, order=order, limit=limit, after=place)
        )
        rows += page.data
        place = page.next
        if place is None:
            return rows


async def titles_of(container: AsyncContainer, owner: User, which: ItemFilter) -> list[str]:
    items: ItemQueries = await container.get(ItemQueries)
    return [item.title for item in await walk(items, owner.id, which)]


# --- what is found

TEXTS = {
    "Grünkohl": "Straße 7",
    "GRÜNER TEE": None,
    "100 %": "under_score and back\\slash and /",
    "1000": "percent, not %",
    "Ångström": "Ελλάδα ΣΟΦΟΣ",
    "牛乳とパン": "🥛🍞",
    "quote \" and '": "tab\tand\nline",
}


@pytest.mark.parametrize(
    ("q", "found"),
    [
        pytest.param("grün", ["Grünkohl", "GRÜNER TEE"], id="case ignored beyond ASCII"),
        pytest.param("GRÜN", ["Grünkohl", "GRÜNER TEE"], id="case of the query ignored"),
        pytest.param("gru\u0308n", ["Grünkohl", "GRÜNER TEE"], id="composed otherwise"),
        pytest.param("grun", [], id="another letter"),
        pytest.param("STRASSE", ["Grünkohl"], id="sharp s"),
        pytest.param("\u212bngstr", ["Ångström"], id="the angstrom sign"),
        pytest.param("σοφοσ", ["Ångström"], id="final sigma"),
        pytest.param("ünk", ["Grünkohl"], id="in the middle"),
        pytest.param("7", ["Grünkohl"], id="one character"),
        pytest.param("00", ["100 %", "1000"], id="two characters"),
        pytest.param("%", ["100 %", "1000"], id="percent is itself"),
        pytest.param("0 %", ["100 %"], id="percent in a longer text"),
        pytest.param("r_s", ["100 %"], id="underscore is itself"),
        pytest.param("k\\s", ["100 %"], id="backslash is itself"),
        pytest.param("and /", ["100 %"], id="slash is itself"),
        pytest.param("牛乳と", ["牛乳とパン"], id="no letters of ASCII"),
        pytest.param("🥛🍞", ["牛乳とパン"], id="beyond the basic plane"),
        pytest.param('e " a', ["quote \" and '"], id="a quotation mark"),
        pytest.param("and '", ["quote \" and '"], id="an apostrophe"),
        pytest.param("tab\tand\nl", ["quote \" and '"], id="white space is itself"),
        pytest.param("tab and", [], id="and no other"),
        pytest.param("kohlstr", [], id="not across title and description"),
        pytest.param("tee AND grün", [], id="no language of queries"),
        pytest.param("NOT tee", [], id="no negation"),
        pytest.param("tee*", [], id="no prefix"),
        pytest.param("' OR 1=1 --", [], id="an attempt"),
        pytest.param("x" * 200, [], id="long"),
    ],
)
async def test_finds_items_by_a_part_of_the_title_or_the_description(
    container: AsyncContainer, q: str, found: list[str]
) -> None:
    owner = a_user()
    await store(container, owner, *(an_item(owner, title=title, description=text) for title, text in TEXTS.items()))

    assert await titles_of(container, owner, ItemFilter(q=q)) == found


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("food", ["A", "B"]),
        ("Food", ["C"]),
        ("foo", []),
        ("cold food", ["C"]),
        ('"', ["B"]),
        ("%", []),
        ("ä", ["A"]),
        ("a\u0308", []),
    ],
)
async def test_finds_items_by_exactly_a_tag(container: AsyncContainer, tag: str, found: list[str]) -> None:
    owner = a_user()
    await store(
        container,
        owner,
        an_item(owner, title="A", tags=("food", "ä")),
        an_item(owner, title="B", tags=('"', "food", "a,b")),
        an_item(owner, title="C", tags=("Food", "cold food")),
        an_item(owner, title="D"),
    )

    assert await titles_of(container, owner, ItemFilter(tag=tag)) == found


async def test_finds_items_between_two_moments_but_not_at_them(container: AsyncContainer) -> None:
    owner = a_user()
    moments = [NOW + timedelta(microseconds=number) for number in range(4)]
    await store(container, owner, *(an_item(owner, title=str(at), created_at=at) for at in moments))

    after = ItemFilter(created_after=moments[1])
    between = ItemFilter(created_after=moments[0], created_before=moments[3])

    assert await titles_of(container, owner, after) == [str(at) for at in moments[2:]]
    assert await titles_of(container, owner, between) == [str(at) for at in moments[1:3]]


async def test_finds_what_all_filters_let_through(container: AsyncContainer) -> None:
    owner = a_user()
    await store(
        container,
        owner,
        an_item(owner, title="Milk", tags=("food",)),
        an_item(owner, title="Milk tooth", tags=("body",)),
        an_item(owner, title="Milk again", tags=("food",), created_at=A_DAY_LATER),
        an_item(owner, title="Bread", tags=("food",)),
    )

    which = ItemFilter(q="milk", tag="food", created_before=A_DAY_LATER)

    assert await titles_of(container, owner, which) == ["Milk"]


async def test_finds_what_is_said_now_and_not_what_was_said(container: AsyncContainer) -> None:
    owner = a_user()
    item, other = an_item(owner, title="Before", tags=("old", "kept")), an_item(owner, title="Before, deleted")
    await store(container, owner, item, other)

    async with a_unit(container) as unit:
        loaded = await unit.items.get(owner.id, item.id)
        loaded.edit(
            title=parse_title("After"),
            description=parse_description("Nothing"),
            tags=parse_tags(["kept", "new"]),
            now=A_DAY_LATER,
        )
        await unit.items.save(loaded)
        await unit.items.delete(other)
        await unit.commit()

    found = {
        name: await titles_of(container, owner, which)
        for name, which in {
            "old text": ItemFilter(q="before"),
            "new text": ItemFilter(q="after"),
            "new description": ItemFilter(q="nothing"),
            "old tag": ItemFilter(tag="old"),
            "kept tag": ItemFilter(tag="kept"),
            "new tag": ItemFilter(tag="new"),
        }.items()
    }
    assert [name for name, titles in found.items() if titles] == ["new text", "new description", "kept tag", "new tag"]


async def test_finds_nothing_of_an_account_that_is_gone(container: AsyncContainer) -> None:
    gone, owner = a_user(), a_user()
    await store(container, gone, an_item(gone, title="Gone", tags=("gone",)), owner)
    items: ItemQueries = await container.get(ItemQueries)

    async with a_unit(container) as unit:
        await unit.users.delete(await unit.users.get(gone.id))
        await unit.commit()
    await store(container, an_item(owner, title="Here"))

    assert await walk(items, None, ItemFilter(q="gone")) == await walk(items, None, ItemFilter(tag="gone")) == []
    assert await titles_of(container, owner, EVERY_ITEM) == ["Here"]


async def test_finds_nothing_of_others_unless_asked_for_everybodys(container: AsyncContainer) -> None:
    ann, bob = a_user(), a_user()
    await store(
        container,
        *(ann, bob),
        an_item(ann, title="Ann's milk", tags=("food",)),
        an_item(bob, title="Bob's milk", tags=("food",), created_at=A_DAY_LATER),
    )
    items: ItemQueries = await container.get(ItemQueries)

    for which in (EVERY_ITEM, ItemFilter(q="milk"), ItemFilter(tag="food"), ItemFilter(q="milk", tag="food")):
        assert await titles_of(container, ann, which) == ["Ann's milk"]
        assert [item.owner_id for item in await walk(items, None, which, limit=1)] == [ann.id, bob.id]


# --- whatever is there, and whatever is asked for

WORDS = st.sampled_from(["abc", "ABC", "ab", "ß", "ss", "İ", "i̇", "é", "e\u0301", "%", "_", '"', "牛乳", "😀"])
SOME_TEXT = st.lists(WORDS, min_size=1, max_size=4).map("".join)
TAGS = st.lists(st.sampled_from(["abc", "ABC", "é", "e\u0301", '"', "a,b"]), max_size=3)
OFFSETS = st.integers(0, 3).map(lambda number: NOW + timedelta(microseconds=number))


@st.composite
def drafts(draw: st.DrawFn) -> Item:
    """Draw an item of nobody yet."""
    created_at = draw(OFFSETS)
    return an_item(
        a_user(),
        title=draw(SOME_TEXT),
        description=draw(st.none() | st.just("") | SOME_TEXT),
        tags=tuple(draw(TAGS)),
        created_at=created_at,
        updated_at=created_at + draw(st.integers(0, 2)) * timedelta(days=1),
    )


FILTERS = st.builds(
    ItemFilter,
    q=st.none() | WORDS | SOME_TEXT,
    tag=st.none() | st.sampled_from(["abc", "ABC", "é", "e\u0301", '"', "a,b", "none"]),
    created_after=st.none() | OFFSETS,
    created_before=st.none() | OFFSETS,
)
ORDERS = st.builds(Order, st.sampled_from(ItemSort), st.booleans())


def in_memory(owner: User, items: Sequence[Item]) -> MemoryItemQueries:
    model = MemoryStore()
    model.tables = {ITEMS: {item.id: item for item in items if item.owner_id == owner.id}}
    return MemoryItemQueries(model)


def comparable(views: Sequence[ItemView]) -> list[ItemView]:
    for view in views:
        view.tags = tuple(view.tags)
    return list(views)


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("few", "nearest", "rare"),
    [(0, 2, 0), (0, NEAREST, RARE), (FEW, 0, RARE)],
    ids=["as the database decides", "looking at each", "by the index"],
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=st.lists(drafts(), max_size=8),
    which=FILTERS,
    order=ORDERS,
    limit=st.integers(1, 4),
)
async def test_a_database_finds_what_is_found_in_memory(
    container: AsyncContainer,
    monkeypatch: pytest.MonkeyPatch,
    few: int,
    nearest: int,
    rare: int,
    items: list[Item],
    which: ItemFilter,
    order: Order[ItemSort],
    limit: int,
) -> None:
    monkeypatch.setitem(FEW_BOUNDS, "most", few + 1)
    monkeypatch.setitem(NEAREST_BOUNDS, "nearest", nearest)
    monkeypatch.setitem(NEAREST_BOUNDS, "rare", rare)
    owner = a_user()
    for item in items:
        item.owner_id = owner.id
    await store(container, owner, *items)
    queries: ItemQueries = await container.get(ItemQueries)

    found = await walk(queries, owner.id, which, order, limit=limit)
    everybodys = await walk(queries, None, which, order, limit=20)

    expected = comparable(await walk(in_memory(owner, items), owner.id, which, order))
    assert comparable(found) == expected
    assert comparable([view for view in everybodys if view.owner_id == owner.id]) == expected

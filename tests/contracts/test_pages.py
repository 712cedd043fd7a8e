"""Pages of users and of items: every row once, in order, whatever happens meanwhile."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from dishka import AsyncContainer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.items.ports import EVERY_ITEM, ItemQueries, ItemSort
from application.items.views import ItemView
from application.paging import Order, Page, Place
from application.users.ports import UserFilter, UserQueries, UserSort
from application.users.views import UserView
from domain.access import Role
from domain.errors import Invalid
from domain.items.item import Item, parse_title
from domain.users.user import User
from tests.builders import a_user, an_item
from tests.clock import NOW
from tests.units import store

BOTH_DIRECTIONS = pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
EVERYBODY = UserFilter()


async def walk[View](page: Callable[[Place | None], Awaitable[Page[View]]]) -> list[View]:
    """Return all rows of all pages."""
    rows: list[View] = []
    place: Place | None = None
    while True:
        answer = await page(place)
        rows += answer.data
        place = answer.next
        if place is None:
            return rows


async def items_of(
    container: AsyncContainer, owner: User, order: Order[ItemSort], *, limit: int = 100
) -> list[ItemView]:
    items: ItemQueries = await container.get(ItemQueries)
    return await walk(lambda place: items.page(owner.id, EVERY_ITEM, order=order, limit=limit, after=place))


async def users_in(
    container: AsyncContainer, which: UserFilter, order: Order[UserSort] | None = None, *, limit: int = 100
) -> list[UserView]:
    users: UserQueries = await container.get(UserQueries)
    order = order or Order(UserSort.CREATED_AT)
    return await walk(lambda place: users.page(which, order=order, limit=limit, after=place))


def in_order[Row: Any](rows: Sequence[Row], by: str, *, descending: bool) -> list[Row]:
    """Return the rows as they must come: by the field, then by id, both in the same direction."""
    return sorted(rows, key=lambda row: (getattr(row, by), row.id), reverse=descending)


def ids(rows: Sequence[Any]) -> list[Any]:
    return [row.id for row in rows]


def some_items(owner: User, count: int) -> list[Item]:
    """Return items of which some tie in each sort key, in no order that is asked for."""
    return [
        an_item(
            owner,
            title=f"Title {number % 3}",
            created_at=NOW + timedelta(microseconds=number * 7 % 4),
            updated_at=NOW + timedelta(days=1, microseconds=number * 5 % 3),
        )
        for number in range(count)
    ]


# --- items


@pytest.mark.parametrize("limit", [1, 3, 10, 11, 100])
@pytest.mark.parametrize("by", list(ItemSort))
@BOTH_DIRECTIONS
async def test_pages_hold_each_item_once_in_order(
    container: AsyncContainer, by: ItemSort, descending: bool, limit: int
) -> None:
    owner = a_user()
    items = some_items(owner, 10)
    await store(container, owner, *items)

    seen = await items_of(container, owner, Order(by, descending=descending), limit=limit)

    assert ids(seen) == ids(in_order(items, by, descending=descending))


@BOTH_DIRECTIONS
async def test_ties_are_broken_by_id_in_the_same_direction(container: AsyncContainer, descending: bool) -> None:
    owner = a_user()
    items = [an_item(owner, title="Same") for _ in range(5)]
    await store(container, owner, *reversed(items))

    seen = await items_of(container, owner, Order(ItemSort.TITLE, descending=descending), limit=2)

    assert ids(seen) == sorted(ids(items), reverse=descending)


async def test_a_page_is_full_and_names_the_place_behind_it(container: AsyncContainer) -> None:
    owner = a_user()
    items = [an_item(owner, title=title) for title in "ABCDE"]
    await store(container, owner, *items)
    queries: ItemQueries = await container.get(ItemQueries)

    first = await queries.page(owner.id, EVERY_ITEM, order=Order(ItemSort.TITLE), limit=2, after=None)
    second = await queries.page(owner.id, EVERY_ITEM, order=Order(ItemSort.TITLE), limit=2, after=first.next)
    last = await queries.page(owner.id, EVERY_ITEM, order=Order(ItemSort.TITLE), limit=2, after=second.next)

    assert [[item.title for item in page.data] for page in (first, second, last)] == [["A", "B"], ["C", "D"], ["E"]]
    assert first.next == Place("B", items[1].id)
    assert second.next == Place("D", items[3].id)
    assert last.next is None


async def test_a_last_page_that_is_full_has_no_next_one(container: AsyncContainer) -> None:
    owner = a_user()
    await store(container, owner, *(an_item(owner) for _ in range(2)))
    queries: ItemQueries = await container.get(ItemQueries)

    page = await queries.page(owner.id, EVERY_ITEM, order=Order(ItemSort.TITLE), limit=2, after=None)

    assert len(page.data) == 2
    assert page.next is None


async def test_a_place_in_time_is_kept_to_the_microsecond(container: AsyncContainer) -> None:
    owner = a_user()
    items = [an_item(owner, created_at=NOW + timedelta(microseconds=number)) for number in range(3)]
    await store(container, owner, *items)
    queries: ItemQueries = await container.get(ItemQueries)

    page = await queries.page(owner.id, EVERY_ITEM, order=Order(ItemSort.CREATED_AT), limit=1, after=None)

    assert page.next == Place(NOW, items[0].id)


async def test_a_page_behind_a_row_that_is_gone_goes_on_where_it_was(container: AsyncContainer) -> None:
    owner = a_user()
    items = [an_item(owner, title=title) for title in "ACE"]
    await store(container, owner, *items)
    queries: ItemQueries = await container.get(ItemQueries)

    page = await queries.page(owner.id, EVERY_ITEM, order=Order(ItemSort.TITLE), limit=5, after=Place("B", owner.id))

    assert ids(page.data) == ids(items[1:])


async def test_pages_hold_nothing_of_others(container: AsyncContainer) -> None:
    owner, other = a_user(), a_user()
    item = an_item(owner)
    await store(container, owner, other, item, an_item(other))

    assert ids(await items_of(container, owner, Order(ItemSort.TITLE))) == [item.id]
    assert await items_of(container, a_user(), Order(ItemSort.TITLE)) == []


@pytest.mark.parametrize("by", list(ItemSort))
@BOTH_DIRECTIONS
async def test_pages_lose_and_repeat_nothing_while_items_are_added(
    container: AsyncContainer, by: ItemSort, descending: bool
) -> None:
    owner = a_user()
    items = some_items(owner, 12)
    await store(container, owner, *items)
    queries: ItemQueries = await container.get(ItemQueries)

    async def page(place: Place | None) -> Page[ItemView]:
        answer = await queries.page(owner.id, EVERY_ITEM, order=Order(by, descending=descending), limit=2, after=place)
        if len(added) < 20:
            added.extend(some_items(owner, 3))
            await store(container, *added[-3:])
        return answer

    added: list[Item] = []
    seen = await walk(page)

    assert len(ids(seen)) == len(set(ids(seen)))
    assert ids(seen) == ids(in_order(seen, by, descending=descending))
    assert [item for item in ids(seen) if item in ids(items)] == ids(in_order(items, by, descending=descending))


def is_title(text: str) -> bool:
    try:
        parse_title(text)
    except Invalid:
        return False
    return True


TITLES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=5).filter(is_title)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    titles=st.lists(TITLES | st.sampled_from(["a", "B", "Z", "ä", "é", "é", "ß", "~", "￿", "😀", "a b"]), max_size=12),
    limit=st.integers(1, 5),
    descending=st.booleans(),
)
async def test_any_titles_are_sorted_by_code_point(
    container: AsyncContainer, titles: list[str], limit: int, descending: bool
) -> None:
    owner = a_user()
    items = [an_item(owner, title=title) for title in titles]
    await store(container, owner, *items)

    seen = await items_of(container, owner, Order(ItemSort.TITLE, descending=descending), limit=limit)

    assert [item.title for item in seen] == sorted(titles, reverse=descending)
    assert ids(seen) == ids(in_order(items, "title", descending=descending))


# --- users


@pytest.mark.parametrize("by", list(UserSort))
@BOTH_DIRECTIONS
async def test_pages_hold_each_account_once_in_order(container: AsyncContainer, by: UserSort, descending: bool) -> None:
    users = [a_user(created_at=NOW + timedelta(microseconds=number * 7 % 4)) for number in range(10)]
    await store(container, *users)

    seen = await users_in(container, EVERYBODY, Order(by, descending=descending), limit=3)

    assert ids(seen) == ids(in_order(users, by, descending=descending))


@pytest.mark.parametrize(
    ("q", "found"),
    [
        pytest.param("ada", ["ada@example.org", "x@example.org"], id="address or name"),
        pytest.param("ADA", ["ada@example.org", "x@example.org"], id="case ignored"),
        pytest.param("lovelace", ["x@example.org"], id="a part of the name"),
        pytest.param("ÉMILE", ["y@example.org"], id="upper case beyond ASCII"),
        pytest.param("émile", ["y@example.org"], id="lower case beyond ASCII"),
        pytest.param("%", ["z@example.org"], id="percent is itself"),
        pytest.param("_", ["z@example.org"], id="underscore is itself"),
        pytest.param("\\", ["z@example.org"], id="backslash is itself"),
        pytest.param("/", ["z@example.org"], id="slash is itself"),
        pytest.param("nobody", [], id="nothing"),
        pytest.param("' OR 1=1 --", [], id="an attempt"),
    ],
)
async def test_finds_users_by_a_part_of_the_address_or_the_name(
    container: AsyncContainer, q: str, found: list[str]
) -> None:
    await store(
        container,
        a_user(email="ada@example.org"),
        a_user(email="x@example.org", full_name="Ada Lovelace"),
        a_user(email="y@example.org", full_name="Émile Zola"),
        a_user(email="z@example.org", full_name=r"100 %_\/"),
    )

    assert [user.email for user in await users_in(container, UserFilter(q=q), Order(UserSort.EMAIL))] == found


async def test_finds_users_by_role_and_by_whether_they_are_active(container: AsyncContainer) -> None:
    member, admin = a_user(), a_user(role=Role.ADMIN)
    former, former_admin = a_user(is_active=False), a_user(role=Role.ADMIN, is_active=False)
    await store(container, member, admin, former, former_admin)

    assert ids(await users_in(container, UserFilter(role=Role.ADMIN))) == ids([admin, former_admin])
    assert ids(await users_in(container, UserFilter(is_active=False))) == ids([former, former_admin])
    assert ids(await users_in(container, UserFilter(is_active=True))) == ids([member, admin])
    assert ids(await users_in(container, UserFilter(role=Role.MEMBER, is_active=True))) == [member.id]
    assert ids(await users_in(container, UserFilter(q=admin.email, role=Role.MEMBER))) == []


async def test_filtered_users_come_in_pages_too(container: AsyncContainer) -> None:
    admins = [a_user(role=Role.ADMIN) for _ in range(5)]
    await store(container, *admins, *(a_user() for _ in range(5)))

    seen = await users_in(container, UserFilter(role=Role.ADMIN), limit=2)

    assert ids(seen) == ids(admins)

"""What people do with their items."""

import asyncio
from datetime import timedelta

import pytest
from dishka import AsyncContainer

from application.items.ports import ItemSort
from application.items.use_cases import AddItem, DeleteItem, EditItem, ListItems, ShowItem
from application.items.views import ItemView
from application.paging import Order
from application.versions import Precondition
from domain.access import Actor, Permission, PermissionDenied
from domain.errors import Invalid, Stale
from domain.ids import ItemId
from domain.items.errors import ItemNotFound
from domain.users.errors import UserNotFound
from tests.builders import a_user, an_actor, an_id
from tests.clock import NOW, FixedClock
from tests.units import store, use


@pytest.fixture
async def ann(container: AsyncContainer) -> Actor:
    user = a_user()
    await store(container, user)
    return an_actor(user)


@pytest.fixture
async def bob(container: AsyncContainer) -> Actor:
    user = a_user()
    await store(container, user)
    return an_actor(user)


@pytest.fixture
async def milk(container: AsyncContainer, ann: Actor) -> ItemView:
    """An item of Ann's."""
    return await use(container, AddItem)(ann, title="Milk", description="Half fat", tags=["food", "cold"])


# --- add, show, list


async def test_adds_an_item_to_the_actors_own(container: AsyncContainer, ann: Actor) -> None:
    item = await use(container, AddItem)(ann, title="Milk", description="Half fat", tags=["b", "a", "b"])

    assert (item.owner_id, item.title, item.description, item.tags) == (ann.user_id, "Milk", "Half fat", ("b", "a"))
    assert (item.created_at, item.updated_at, item.version, item.id.version) == (NOW, NOW, 1, 7)
    assert await use(container, ShowItem)(ann, item.id) == item


async def test_a_title_is_all_an_item_needs(container: AsyncContainer, ann: Actor) -> None:
    item = await use(container, AddItem)(ann, title="Milk")

    assert (item.description, item.tags) == (None, ())


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("title", {"title": ""}),
        ("description", {"description": "x" * 10_001}),
        ("tags", {"tags": [str(number) for number in range(21)]}),
        ("tags/1", {"tags": ["good", ""]}),
    ],
)
async def test_adds_nothing_invalid(
    container: AsyncContainer, ann: Actor, field: str, wrong: dict[str, object]
) -> None:
    facts: dict[str, object] = {"title": "Milk"} | wrong

    with pytest.raises(Invalid) as refused:
        await use(container, AddItem)(ann, **facts)  # type: ignore[arg-type]

    assert [error.field for error in refused.value.errors] == [field]
    page = await use(container, ListItems)(ann, order=Order(ItemSort.TITLE), limit=1)
    assert page.data == []


async def test_who_has_no_account_owns_nothing(container: AsyncContainer) -> None:
    with pytest.raises(UserNotFound):
        await use(container, AddItem)(an_actor(), title="Milk")


async def test_hides_the_items_of_others(container: AsyncContainer, bob: Actor, milk: ItemView) -> None:
    for item_id in (milk.id, ItemId(an_id())):
        with pytest.raises(ItemNotFound) as hidden:
            await use(container, ShowItem)(bob, item_id)
        with pytest.raises(ItemNotFound):
            await use(container, EditItem)(bob, item_id, title="Mine")
        with pytest.raises(ItemNotFound):
            await use(container, DeleteItem)(bob, item_id)
        assert str(hidden.value) == ItemNotFound.detail


async def test_lists_the_actors_items_in_pages(container: AsyncContainer, ann: Actor, bob: Actor) -> None:
    for title in ("b", "c", "a"):
        await use(container, AddItem)(ann, title=title)
    await use(container, AddItem)(bob, title="d")
    list_items = use(container, ListItems)
    order = Order(ItemSort.TITLE, descending=True)

    first = await list_items(ann, order=order, limit=2)
    last = await list_items(ann, order=order, limit=2, after=first.next)

    assert [[item.title for item in page.data] for page in (first, last)] == [["c", "b"], ["a"]]
    assert last.next is None


# --- edit


async def test_changes_what_is_named_and_leaves_the_rest(
    container: AsyncContainer, ann: Actor, milk: ItemView, clock: FixedClock
) -> None:
    clock.advance(timedelta(hours=1))
    edit = use(container, EditItem)

    titled = await edit(ann, milk.id, title="Oat milk")
    described = await edit(ann, milk.id, description="No fat")
    tagged = await edit(ann, milk.id, tags=["dry"])

    assert (titled.title, titled.description, titled.tags) == ("Oat milk", "Half fat", ("food", "cold"))
    assert (described.title, described.description, described.tags) == ("Oat milk", "No fat", ("food", "cold"))
    assert (tagged.title, tagged.description, tagged.tags) == ("Oat milk", "No fat", ("dry",))
    assert (tagged.version, tagged.created_at, tagged.updated_at) == (4, NOW, NOW + timedelta(hours=1))
    assert await use(container, ShowItem)(ann, milk.id) == tagged


async def test_clears_what_can_be_cleared(container: AsyncContainer, ann: Actor, milk: ItemView) -> None:
    item = await use(container, EditItem)(ann, milk.id, description=None, tags=[])

    assert (item.title, item.description, item.tags) == ("Milk", None, ())


async def test_makes_no_invalid_change(container: AsyncContainer, ann: Actor, milk: ItemView) -> None:
    with pytest.raises(Invalid):
        await use(container, EditItem)(ann, milk.id, title="Oats", tags=[""])

    assert await use(container, ShowItem)(ann, milk.id) == milk


async def test_changes_only_a_version_that_was_seen(container: AsyncContainer, ann: Actor, milk: ItemView) -> None:
    edit = use(container, EditItem)

    await edit(ann, milk.id, title="First", precondition=Precondition(any_of=frozenset({1})))
    for seen in ({1}, {3}, set()):
        with pytest.raises(Stale):
            await edit(ann, milk.id, title="Second", precondition=Precondition(any_of=frozenset(seen)))

    assert (await use(container, ShowItem)(ann, milk.id)).title == "First"


async def test_one_of_many_who_saw_the_same_version_changes_it(
    container: AsyncContainer, ann: Actor, milk: ItemView
) -> None:
    edit = use(container, EditItem)

    outcomes = await asyncio.gather(
        *(
            edit(ann, milk.id, title=f"Title {number}", precondition=Precondition(any_of=frozenset({1})))
            for number in range(10)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, Stale) for outcome in outcomes) == 9
    assert (await use(container, ShowItem)(ann, milk.id)).version == 2


async def test_all_who_expect_nothing_in_particular_change_it_one_after_another(
    container: AsyncContainer, ann: Actor, milk: ItemView
) -> None:
    edit = use(container, EditItem)

    await asyncio.gather(*(edit(ann, milk.id, title=f"Title {number}") for number in range(10)))

    assert (await use(container, ShowItem)(ann, milk.id)).version == 11


# --- delete


async def test_deletes_an_item(container: AsyncContainer, ann: Actor, milk: ItemView) -> None:
    await use(container, DeleteItem)(ann, milk.id)

    with pytest.raises(ItemNotFound):
        await use(container, ShowItem)(ann, milk.id)
    with pytest.raises(ItemNotFound):
        await use(container, DeleteItem)(ann, milk.id)


async def test_deletes_only_a_version_that_was_seen(container: AsyncContainer, ann: Actor, milk: ItemView) -> None:
    delete = use(container, DeleteItem)

    for seen in ({2}, set()):
        with pytest.raises(Stale):
            await delete(ann, milk.id, precondition=Precondition(any_of=frozenset(seen)))

    assert await use(container, ShowItem)(ann, milk.id) == milk
    await delete(ann, milk.id, precondition=Precondition(any_of=frozenset({1, 2})))


# --- permissions


async def test_looking_needs_the_permission_to_read(container: AsyncContainer, ann: Actor, milk: ItemView) -> None:
    writer = Actor(user_id=ann.user_id, permissions=frozenset(Permission) - {Permission.ITEMS_READ})

    with pytest.raises(PermissionDenied):
        await use(container, ShowItem)(writer, milk.id)
    with pytest.raises(PermissionDenied):
        await use(container, ListItems)(writer, order=Order(ItemSort.TITLE), limit=1)


async def test_changing_needs_the_permission_to_write(container: AsyncContainer, ann: Actor, milk: ItemView) -> None:
    reader = Actor(user_id=ann.user_id, permissions=frozenset(Permission) - {Permission.ITEMS_WRITE})

    with pytest.raises(PermissionDenied):
        await use(container, AddItem)(reader, title="Oats")
    with pytest.raises(PermissionDenied):
        await use(container, EditItem)(reader, milk.id, title="Oats")
    with pytest.raises(PermissionDenied):
        await use(container, DeleteItem)(reader, milk.id)

    assert await use(container, ShowItem)(ann, milk.id) == milk

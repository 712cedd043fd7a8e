"""`ItemRepository` and `ItemQueries`, but for the pages."""

import asyncio

import pytest
from dishka import AsyncContainer

from application.items.ports import ItemQueries
from application.items.views import view_of
from domain.errors import Stale
from domain.ids import ItemId
from domain.items.errors import ItemNotFound
from domain.items.item import Item, parse_tags, parse_title
from domain.users.errors import UserNotFound
from domain.users.user import User
from tests.builders import A_DAY_LATER, a_user, an_id, an_item
from tests.clock import NOW
from tests.units import a_unit, store


@pytest.fixture
async def owner(container: AsyncContainer) -> User:
    owner = a_user()
    await store(container, owner)
    return owner


async def load(container: AsyncContainer, item: Item) -> Item:
    async with a_unit(container) as unit:
        return await unit.items.get(item.owner_id, item.id)


def retitle(item: Item, title: str) -> None:
    item.edit(title=parse_title(title), description=item.description, tags=item.tags, now=A_DAY_LATER)


# --- add


@pytest.mark.parametrize(
    ("title", "description", "tags"),
    [
        pytest.param("Milk", "Half fat", ("food", "cold"), id="all facts"),
        pytest.param("Milk", None, (), id="few facts"),
        pytest.param("Milk", "", (), id="empty description"),
        pytest.param("牛乳 🥛 \u202e", "línea\n\tпроба\r\n", ("b", "a", "ä", '"', "\\", "a,b"), id="unicode and order"),
        pytest.param(
            "\N{GRINNING FACE}" * 200, "\N{GRINNING FACE}" * 10_000, ("\N{GRINNING FACE}" * 50,), id="longest"
        ),
    ],
)
async def test_gives_back_what_was_added(
    container: AsyncContainer, owner: User, title: str, description: str | None, tags: tuple[str, ...]
) -> None:
    item = an_item(owner, title=title, description=description, tags=tags)

    await store(container, item)

    assert await load(container, item) == item


async def test_refuses_an_item_of_nobody(container: AsyncContainer) -> None:
    with pytest.raises(UserNotFound):
        await store(container, an_item(a_user()))


async def test_gives_back_each_of_many_that_were_added_together(container: AsyncContainer, owner: User) -> None:
    items = [an_item(owner, title=f"Item {number}", tags=("a", "b")[: number % 3]) for number in range(300)]

    async with a_unit(container) as unit:
        await unit.items.add_all(items)
        await unit.items.add_all([])
        await unit.commit()

    for item in items[::100]:
        assert await load(container, item) == item


async def test_adds_all_of_many_or_none(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner)

    with pytest.raises(UserNotFound):
        async with a_unit(container) as unit:
            await unit.items.add_all([item, an_item(a_user())])
            await unit.commit()

    with pytest.raises(ItemNotFound):
        await load(container, item)


# --- get


async def test_finds_no_item_that_is_not_there(container: AsyncContainer, owner: User) -> None:
    async with a_unit(container) as unit:
        with pytest.raises(ItemNotFound):
            await unit.items.get(owner.id, ItemId(an_id()))


async def test_hides_the_items_of_others(container: AsyncContainer, owner: User) -> None:
    item, stranger = an_item(owner), a_user()
    await store(container, item, stranger)

    async with a_unit(container) as unit:
        with pytest.raises(ItemNotFound):
            await unit.items.get(stranger.id, item.id)


async def test_changes_nothing_until_the_item_is_saved(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner, title="Before")
    await store(container, item)

    async with a_unit(container) as unit:
        loaded = await unit.items.get(owner.id, item.id)
        retitle(loaded, "After")
        await unit.commit()

    assert (await load(container, item)).title == "Before"


async def test_makes_others_wait_for_an_item_that_is_being_changed(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner)
    await store(container, item)

    async with a_unit(container) as unit:
        first = await unit.items.get(owner.id, item.id)
        second = asyncio.create_task(load(container, item))
        await asyncio.sleep(0.1)
        waited = not second.done()
        retitle(first, "First")
        await unit.items.save(first)
        await unit.commit()

    assert waited
    assert (await second).title == "First"


async def test_makes_nobody_wait_who_only_looks(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner, title="Before")
    await store(container, item)
    items: ItemQueries = await container.get(ItemQueries)

    async with a_unit(container) as unit:
        loaded = await unit.items.get(owner.id, item.id)
        retitle(loaded, "After")
        await unit.items.save(loaded)
        async with asyncio.timeout(1):
            seen = await items.get(owner.id, item.id)
        await unit.commit()

    assert seen.title == "Before"


# --- save


async def test_stores_the_next_version(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner, description="Half fat", tags=("food",))
    await store(container, item)

    async with a_unit(container) as unit:
        loaded = await unit.items.get(owner.id, item.id)
        loaded.edit(title=parse_title("Oat milk"), description=None, tags=parse_tags(["oats"]), now=A_DAY_LATER)
        await unit.items.save(loaded)
        await unit.commit()

    assert await load(container, item) == loaded
    assert loaded.version == 2


async def test_refuses_to_save_over_a_change_of_somebody_else(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner)
    await store(container, item)
    first, second = await load(container, item), await load(container, item)
    retitle(first, "First")
    retitle(second, "Second")

    async with a_unit(container) as unit:
        await unit.items.save(first)
        await unit.commit()
    with pytest.raises(Stale):
        async with a_unit(container) as unit:
            await unit.items.save(second)

    assert (await load(container, item)).title == "First"


async def test_lets_one_editor_win_when_many_save_at_once(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner)
    await store(container, item)
    loaded = [await load(container, item) for _ in range(8)]

    async def save(number: int) -> None:
        retitle(loaded[number], f"Editor {number}")
        async with a_unit(container) as unit:
            await unit.items.save(loaded[number])
            await unit.commit()

    outcomes = await asyncio.gather(*map(save, range(8)), return_exceptions=True)

    assert sum(isinstance(outcome, Stale) for outcome in outcomes) == 7
    assert (await load(container, item)).title == f"Editor {outcomes.index(None)}"


async def test_refuses_to_save_what_was_deleted(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner)
    await store(container, item)
    loaded = await load(container, item)
    retitle(loaded, "Too late")

    async with a_unit(container) as unit:
        await unit.items.delete(item)
        await unit.commit()

    with pytest.raises(Stale):
        async with a_unit(container) as unit:
            await unit.items.save(loaded)


# --- delete


async def test_removes_an_item_and_no_other(container: AsyncContainer, owner: User) -> None:
    item, other = an_item(owner), an_item(owner)
    await store(container, item, other)

    async with a_unit(container) as unit:
        await unit.items.delete(item)
        await unit.commit()

    assert await load(container, other) == other
    with pytest.raises(ItemNotFound):
        await load(container, item)


async def test_refuses_to_delete_what_somebody_else_changed(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner)
    await store(container, item)
    seen_before = await load(container, item)

    async with a_unit(container) as unit:
        loaded = await unit.items.get(owner.id, item.id)
        retitle(loaded, "Changed")
        await unit.items.save(loaded)
        await unit.commit()
    with pytest.raises(Stale):
        async with a_unit(container) as unit:
            await unit.items.delete(seen_before)

    assert (await load(container, item)).title == "Changed"


async def test_refuses_to_delete_what_is_gone(container: AsyncContainer, owner: User) -> None:
    with pytest.raises(Stale):
        async with a_unit(container) as unit:
            await unit.items.delete(an_item(owner))


async def test_deletes_once_when_many_delete_at_once(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner)
    await store(container, item)

    async def delete() -> None:
        async with a_unit(container) as unit:
            await unit.items.delete(item)
            await unit.commit()

    outcomes = await asyncio.gather(*(delete() for _ in range(8)), return_exceptions=True)

    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, Stale) for outcome in outcomes) == 7


async def test_keeps_an_item_whose_deletion_was_not_committed(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner)
    await store(container, item)

    async with a_unit(container) as unit:
        await unit.items.delete(item)
        with pytest.raises(ItemNotFound):
            await unit.items.get(owner.id, item.id)

    assert await load(container, item) == item


# --- queries


async def test_shows_an_item(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner, description="Half fat", tags=("food", "cold"))
    await store(container, item)
    items: ItemQueries = await container.get(ItemQueries)

    view = await items.get(owner.id, item.id)

    view.tags = tuple(view.tags)
    assert view == view_of(item)


async def test_shows_nobody_the_items_of_others(container: AsyncContainer, owner: User) -> None:
    item, stranger = an_item(owner), a_user()
    await store(container, item, stranger)
    items: ItemQueries = await container.get(ItemQueries)

    with pytest.raises(ItemNotFound):
        await items.get(stranger.id, item.id)
    with pytest.raises(ItemNotFound):
        await items.get(owner.id, ItemId(an_id()))


async def test_sees_changes_and_deletions_as_soon_as_they_are_committed(container: AsyncContainer, owner: User) -> None:
    item = an_item(owner)
    await store(container, item)
    items: ItemQueries = await container.get(ItemQueries)

    async with a_unit(container) as unit:
        loaded = await unit.items.get(owner.id, item.id)
        loaded.edit(title=parse_title("Changed"), description=None, tags=(), now=NOW)
        await unit.items.save(loaded)
        await unit.commit()
    seen = await items.get(owner.id, item.id)
    async with a_unit(container) as unit:
        await unit.items.delete(loaded)
        await unit.commit()

    assert (seen.title, seen.version) == ("Changed", 2)
    with pytest.raises(ItemNotFound):
        await items.get(owner.id, item.id)

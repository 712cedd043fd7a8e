"""`ItemLoader`."""

import asyncio

import pytest
from dishka import AsyncContainer

from application.items.ports import ItemLoader, ItemQueries
from application.items.views import ItemView
from domain.items.errors import ItemNotFound
from domain.items.item import Item
from domain.users.errors import UserNotFound
from domain.users.user import User
from tests.builders import a_user, an_item
from tests.units import a_unit, store


@pytest.fixture
async def owner(container: AsyncContainer) -> User:
    owner = a_user()
    await store(container, owner)
    return owner


@pytest.fixture
async def loader(container: AsyncContainer) -> ItemLoader:
    loader: ItemLoader = await container.get(ItemLoader)
    return loader


async def at_once() -> None:
    """It is always their turn."""


async def view(container: AsyncContainer, item: Item) -> ItemView:
    queries: ItemQueries = await container.get(ItemQueries)
    return await queries.get(item.owner_id, item.id)


async def load(container: AsyncContainer, item: Item) -> Item:
    async with a_unit(container) as unit:
        return await unit.items.get(item.owner_id, item.id)


async def test_adds_what_is_missing_and_leaves_what_is_there(
    container: AsyncContainer, owner: User, loader: ItemLoader
) -> None:
    there, missing = an_item(owner, title="There"), an_item(owner, title="Missing")
    await store(container, there)
    again = an_item(owner, id=there.id, title="Again")

    assert await loader.add_missing([again, missing], at_once) == 1
    assert await loader.add_missing([again, missing], at_once) == 0
    assert await loader.add_missing([], at_once) == 0
    assert await load(container, there) == there
    assert await load(container, missing) == missing


async def test_adds_each_once_when_many_add_the_same_at_once_in_whatever_order(
    container: AsyncContainer, owner: User, loader: ItemLoader
) -> None:
    items = [an_item(owner, title=f"Item {number}") for number in range(200)]

    added = await asyncio.gather(*(loader.add_missing(items[:: (-1) ** number], at_once) for number in range(8)))

    assert sum(added) == len(items)
    for item in items[::20]:
        assert await load(container, item) == item


@pytest.mark.parametrize(
    "tags",
    [(), ('"', "\\", "a,b", "{}", "NULL", '\\"', "ä", "two words"), tuple(f"{number:050}" for number in range(20))],
)
async def test_adds_them_as_they_are(
    container: AsyncContainer, owner: User, loader: ItemLoader, tags: tuple[str, ...]
) -> None:
    full = an_item(owner, title='{"牛乳"} 🥛', description="línea\n\tпроба\r\n", tags=tags)
    bare = an_item(owner, description=None)

    await loader.add_missing([full, bare], at_once)

    assert await load(container, full) == full
    assert await load(container, bare) == bare


async def test_adds_nothing_where_one_is_nobodys(container: AsyncContainer, owner: User, loader: ItemLoader) -> None:
    item = an_item(owner)

    with pytest.raises(UserNotFound):
        await loader.add_missing([item, an_item(a_user())], at_once)

    with pytest.raises(ItemNotFound):
        await load(container, item)
    assert await loader.add_missing([item], at_once) == 1


@pytest.mark.parametrize("are_there", [0, 1])
async def test_adds_nothing_before_its_turn_nor_where_that_never_comes(
    container: AsyncContainer, owner: User, loader: ItemLoader, are_there: int
) -> None:
    items = [an_item(owner) for _ in range(2)]
    await loader.add_missing(items[:are_there], at_once)

    async def never() -> None:
        with pytest.raises(ItemNotFound):
            await view(container, items[-1])
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await loader.add_missing(items, never)

    assert await loader.add_missing(items, at_once) == len(items) - are_there


async def test_who_waits_for_its_turn_lets_go_of_what_others_wait_for(
    owner: User, loader: ItemLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two imports of the same items side by side, whose batches do not begin with the same one."""
    monkeypatch.setattr("adapters.sql.item_loading.PATIENCE", 0.1)
    first, second = sorted((an_item(owner) for _ in range(2)), key=lambda item: item.id)
    is_waiting = asyncio.Event()

    async def when_that_before_is_done() -> None:
        is_waiting.set()
        if loader.at_once > 1:
            await asyncio.wait([before])

    later = asyncio.create_task(loader.add_missing([second], when_that_before_is_done))
    before = asyncio.create_task(_begun_after(is_waiting, loader, [first]))
    await is_waiting.wait()
    others = await loader.add_missing([first, second], at_once)

    assert others + await before + await later == 2


async def _begun_after(event: asyncio.Event, loader: ItemLoader, items: list[Item]) -> int:
    await event.wait()
    # By then the others have the first, and wait for the second.
    await asyncio.sleep(0.05)
    return await loader.add_missing(items, at_once)

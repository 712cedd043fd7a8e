import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import pytest
from dishka import AsyncContainer

from application.items.bulk import (
    IMPORT_BATCH,
    IMPORT_BATCH_BYTES,
    AddItems,
    ExportItems,
    ImportedBatch,
    ImportedRow,
    ImportItems,
    RefusedRow,
)
from application.items.drafts import ItemDraft, Row
from application.items.ports import ItemSort
from application.items.use_cases import AddItem, DeleteItem, ListItems
from application.items.views import ItemView
from application.paging import Order
from application.streams import Turn, in_batches, worked_on
from domain.access import Actor, PermissionDenied
from domain.errors import FieldError, Invalid
from domain.users.user import User
from tests.builders import a_powerless_actor, a_user, an_actor
from tests.units import store, use

MILK, BREAD = ItemDraft("Milk", "Two litres", ["shop"]), ItemDraft("Bread")


@pytest.fixture
async def ann(container: AsyncContainer) -> Actor:
    """Provide somebody with an account."""
    user = a_user()
    await store(container, user)
    return an_actor(user)


@pytest.fixture
async def bob(container: AsyncContainer) -> Actor:
    """Provide somebody else."""
    user: User = a_user()
    await store(container, user)
    return an_actor(user)


async def chunks_of(*chunks: Sequence[ImportedRow]) -> AsyncIterator[Sequence[ImportedRow]]:
    for chunk in chunks:
        yield chunk


def rows(*drafts: Row, named: bool = False) -> list[ImportedRow]:
    return [ImportedRow(line, row, str(line).encode() if named else None) for line, row in enumerate(drafts, start=1)]


async def titles(container: AsyncContainer, actor: Actor) -> list[str]:
    page = await use(container, ListItems)(actor, order=Order(ItemSort.TITLE), limit=100)
    return [item.title for item in page.data]


async def import_rows(container: AsyncContainer, actor: Actor, *chunks: Sequence[ImportedRow]) -> ImportedBatch:
    """Import, and return what became of all rows."""
    whole = ImportedBatch()
    async with container() as scope:
        import_items = await scope.get(ImportItems)
        async for batch in await import_items(actor, chunks_of(*chunks)):
            whole.created += batch.created
            whole.known += batch.known
            whole.refused += batch.refused
    return whole


class TestAddItems:
    async def test_adds_all_in_their_order(self, container: AsyncContainer, ann: Actor) -> None:
        items = await use(container, AddItems)(ann, [MILK, BREAD])

        assert [(item.title, item.description, tuple(item.tags), item.owner_id) for item in items] == [
            ("Milk", "Two litres", ("shop",), ann.user_id),
            ("Bread", None, (), ann.user_id),
        ]
        assert await titles(container, ann) == ["Bread", "Milk"]

    async def test_adds_none_with_bad_ones_among_them_and_names_each(
        self, container: AsyncContainer, ann: Actor
    ) -> None:
        bad: list[Row] = [MILK, ItemDraft(" "), Invalid(FieldError("", "is no object")), ItemDraft("Beer", tags=["\n"])]

        with pytest.raises(Invalid) as raised:
            await use(container, AddItems)(ann, bad)

        assert [error.field for error in raised.value.errors] == ["items/1/title", "items/2", "items/3/tags/0"]
        assert await titles(container, ann) == []

    async def test_is_for_those_who_may_write(self, container: AsyncContainer) -> None:
        with pytest.raises(PermissionDenied):
            await use(container, AddItems)(a_powerless_actor(), [MILK])

    async def test_keeps_no_traceback_of_what_can_not_be_read(self, container: AsyncContainer, ann: Actor) -> None:
        unreadable = Invalid(FieldError("", "is no object"))

        with pytest.raises(Invalid):
            await use(container, AddItems)(ann, [unreadable] * 9)

        assert unreadable.__traceback__ is None


class TestImportItems:
    async def test_keeps_the_good_rows_and_says_what_is_wrong_with_the_others(
        self, container: AsyncContainer, ann: Actor
    ) -> None:
        unreadable = Invalid(FieldError("", "is no JSON"))

        whole = await import_rows(container, ann, rows(MILK, ItemDraft(""), unreadable, BREAD))

        assert (whole.created, whole.known) == (2, 0)
        assert [row.line for row in whole.refused] == [2, 3]
        assert whole.refused[0].errors[0].field == "title"
        assert whole.refused[1] == RefusedRow(3, unreadable.errors)
        assert await titles(container, ann) == ["Bread", "Milk"]

    async def test_keeps_no_traceback_of_rows_that_can_not_be_read(self, container: AsyncContainer, ann: Actor) -> None:
        unreadable = Invalid(FieldError("", "is no JSON"))

        whole = await import_rows(container, ann, rows(*[unreadable] * 9))

        assert len(whole.refused) == 9
        assert unreadable.__traceback__ is None

    async def test_makes_the_same_item_of_a_row_with_a_name_however_often(
        self, container: AsyncContainer, ann: Actor, bob: Actor
    ) -> None:
        first = await import_rows(container, ann, rows(MILK, BREAD, named=True))
        again = await import_rows(container, ann, rows(MILK, BREAD, ItemDraft("Beer"), named=True))
        elsewhere = await import_rows(container, bob, rows(MILK, named=True))

        assert [(whole.created, whole.known) for whole in (first, again, elsewhere)] == [(2, 0), (1, 2), (1, 0)]
        assert await titles(container, ann) == ["Beer", "Bread", "Milk"]
        assert await titles(container, bob) == ["Milk"]

    async def test_makes_another_item_of_a_row_without_a_name_each_time(
        self, container: AsyncContainer, ann: Actor
    ) -> None:
        for _ in range(2):
            await import_rows(container, ann, rows(MILK, MILK))

        assert await titles(container, ann) == ["Milk"] * 4

    async def test_makes_an_item_again_that_was_deleted_since(self, container: AsyncContainer, ann: Actor) -> None:
        await import_rows(container, ann, rows(MILK, named=True))
        (item,) = (await use(container, ListItems)(ann, order=Order(ItemSort.TITLE), limit=9)).data
        await use(container, DeleteItem)(ann, item.id)

        again = await import_rows(container, ann, rows(MILK, named=True))

        assert again.created == 1

    async def test_stores_batch_by_batch(self, container: AsyncContainer, ann: Actor) -> None:
        many = [ImportedRow(line, MILK) for line in range(2 * IMPORT_BATCH + 1)]
        async with container() as scope:
            import_items = await scope.get(ImportItems)
            batches = [batch async for batch in await import_items(ann, chunks_of(many[:300], many[300:]))]

        assert [batch.created for batch in batches] == [IMPORT_BATCH, IMPORT_BATCH, 1]

    async def test_stores_fewer_at_once_of_long_rows(self, container: AsyncContainer, ann: Actor) -> None:
        long = [ImportedRow(line, MILK, size=IMPORT_BATCH_BYTES // 2) for line in range(5)]

        async with container() as scope:
            import_items = await scope.get(ImportItems)
            batches = [batch async for batch in await import_items(ann, chunks_of(long))]

        assert [batch.created for batch in batches] == [2, 2, 1]

    async def test_keeps_what_it_stored_when_the_file_ends_abruptly(
        self, container: AsyncContainer, ann: Actor
    ) -> None:
        async def cut_off() -> AsyncIterator[Sequence[ImportedRow]]:
            yield rows(*[MILK] * (IMPORT_BATCH + 1))
            raise ConnectionResetError

        async with container() as scope:
            import_items = await scope.get(ImportItems)
            with pytest.raises(ConnectionResetError):
                async for _ in await import_items(ann, cut_off()):
                    pass

        counted = 0
        async with container() as scope:
            async for items in await (await scope.get(ExportItems))(ann):
                counted += len(items)
        assert counted == IMPORT_BATCH

    async def test_is_for_those_who_may_write(self, container: AsyncContainer) -> None:
        with pytest.raises(PermissionDenied):
            await import_rows(container, a_powerless_actor(), rows(MILK))


class TestExportItems:
    async def test_gives_out_all_of_ones_own_the_oldest_first(
        self, container: AsyncContainer, ann: Actor, bob: Actor
    ) -> None:
        for number in range(3):
            await use(container, AddItem)(ann, title=f"item {number}")
        await use(container, AddItem)(bob, title="Bob's")

        assert [item.title for item in await self.export(container, ann)] == ["item 0", "item 1", "item 2"]

    async def test_gives_out_nothing_of_nothing(self, container: AsyncContainer, ann: Actor) -> None:
        assert await self.export(container, ann) == []

    async def test_is_for_those_who_may_read(self, container: AsyncContainer) -> None:
        with pytest.raises(PermissionDenied):
            await self.export(container, a_powerless_actor())

    @staticmethod
    async def export(container: AsyncContainer, actor: Actor) -> list[ItemView]:
        async with container() as scope:
            export_items = await scope.get(ExportItems)
            return [item async for items in await export_items(actor) for item in items]


class TestStreams:
    async def test_regroups_chunks(self) -> None:
        async def chunks() -> AsyncIterator[list[int]]:
            for chunk in ([], [1, 2, 3, 4, 5], [], [6], [7, 8]):
                yield chunk

        batches = in_batches(chunks(), most=3, largest=100, size_of=int)

        assert [batch async for batch in batches] == [[1, 2, 3], [4, 5, 6], [7, 8]]

    async def test_makes_fewer_of_a_batch_where_they_are_large(self) -> None:
        async def chunks() -> AsyncIterator[list[int]]:
            yield [1, 1, 7, 1, 20, 3, 3, 3, 1]

        batches = in_batches(chunks(), most=3, largest=9, size_of=int)

        assert [batch async for batch in batches] == [[1, 1, 7], [1, 20], [3, 3, 3], [1]]

    async def test_gets_the_next_part_while_one_is_worked_on(self) -> None:
        got = [asyncio.Event() for _ in range(3)]

        async def parts() -> AsyncGenerator[int]:
            for part, is_got in enumerate(got):
                is_got.set()
                yield part

        async def work(part: int, _turn: Turn) -> int:
            await got[min(part + 1, 2)].wait()
            return part

        done = worked_on(parts(), work, at_once=1)

        async with asyncio.timeout(5):
            assert [part async for part in done] == [0, 1, 2]

    async def test_works_on_no_more_at_once_than_it_may_and_keeps_their_order(self) -> None:
        at_work: set[int] = set()
        most = 0

        async def work(part: int, _turn: Turn) -> int:
            nonlocal most
            at_work.add(part)
            most = max(most, len(at_work))
            for _ in range(10 * (part % 3)):
                await asyncio.sleep(0)
            at_work.remove(part)
            return part

        assert [part async for part in worked_on(numbers(9), work, at_once=2)] == list(range(9))
        assert most == 2

    async def test_tells_what_came_of_a_part_before_there_is_another(self) -> None:
        async def parts() -> AsyncGenerator[int]:
            yield 0
            await asyncio.sleep(60)

        async with aclosing(worked_on(parts(), doubled, at_once=2)) as done, asyncio.timeout(5):
            assert await anext(done) == 0

    async def test_raises_what_came_of_a_part_behind_what_came_of_those_before(self) -> None:
        begun, ended = [], []

        async def work(part: int, _turn: Turn) -> int:
            begun.append(part)
            try:
                if part == 1:
                    raise ConnectionResetError
                await asyncio.sleep(60 if part > 1 else 0)
            finally:
                ended.append(part)
            return part

        done = worked_on(numbers(9), work, at_once=2)

        assert await anext(done) == 0
        with pytest.raises(ConnectionResetError):
            await anext(done)
        assert sorted(ended) == sorted(begun)

    async def test_leaves_nothing_done_behind_a_part_that_failed(self) -> None:
        done: list[int] = []

        async def work(part: int, turn: Turn) -> int:
            if part == 2:
                await asyncio.sleep(0.01)
                raise ConnectionResetError
            await turn()
            done.append(part)
            return part

        with pytest.raises(ConnectionResetError):
            async for _ in worked_on(numbers(9), work, at_once=3):
                pass

        assert done == [0, 1]

    async def test_raises_what_came_of_the_source_behind_what_came_of_all_parts(self) -> None:
        async def parts() -> AsyncGenerator[int]:
            yield 0
            yield 1
            raise ConnectionResetError

        done = worked_on(parts(), doubled, at_once=2)

        assert [await anext(done), await anext(done)] == [0, 2]
        with pytest.raises(ConnectionResetError):
            await anext(done)

    async def test_ends_the_source_and_the_work_when_nobody_wants_more(self) -> None:
        ended: list[object] = []

        async def parts() -> AsyncGenerator[int]:
            try:
                yield 0
                yield 1
                await asyncio.sleep(60)
            finally:
                ended.append("source")

        async def work(part: int, _turn: Turn) -> int:
            try:
                await asyncio.sleep(60 * part)
            finally:
                ended.append(part)
            return part

        done = worked_on(parts(), work, at_once=2)
        assert await anext(done) == 0
        await asyncio.sleep(0.01)
        await done.aclose()

        assert set(ended) == {0, 1, "source"}


async def numbers(count: int) -> AsyncGenerator[int]:
    for number in range(count):
        yield number


async def doubled(part: int, _turn: Turn) -> int:
    return 2 * part

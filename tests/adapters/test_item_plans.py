"""How databases get at a page of items: along an index, no further than the page needs, and without sorting."""

import gc
import itertools
import json
import sqlite3
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosqlite
import pytest
import sqlalchemy as sa

from adapters.sql.engines import Engines
from adapters.sql.item_queries import FEW, SqlItemQueries
from adapters.sql.nearest_first import NEAREST
from adapters.sql.plans import Row, Statement
from adapters.sql.reads import Reads
from application.items.ports import EVERY_ITEM, ItemFilter, ItemSort
from application.paging import Order, Place
from domain.ids import UserId
from tests.clock import NOW
from tests.engines import engine_on
from tests.postgres import Server

OWNER, OTHER = (UserId(UUID(int=number)) for number in (1, 2))
ROWS = 10_000
LIMIT = 50
SOMEWHERE: dict[ItemSort, datetime | str] = {
    ItemSort.CREATED_AT: NOW + timedelta(seconds=ROWS / 2),
    ItemSort.UPDATED_AT: NOW + timedelta(seconds=ROWS / 2),
    ItemSort.TITLE: f"Item {ROWS // 2:06}",
}

EVERY_ORDER = pytest.mark.parametrize("by", list(ItemSort))
BOTH_DIRECTIONS = pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
ANYWHERE = pytest.mark.parametrize("is_behind_a_place", [False, True], ids=["first page", "later page"])
ANYBODY = pytest.mark.parametrize("owner_id", [OWNER, None], ids=["one's own", "everybody's"])


class Explaining(Reads):
    """Remembers the last statement with its parameters, to ask afterwards how it was carried out."""

    def __init__(self, engines: Engines) -> None:
        super().__init__(engines.read)
        self._engines = engines
        self._last: tuple[Statement, Mapping[str, object]]

    async def rows(self, statement: Statement, parameters: Mapping[str, object]) -> Sequence[Row]:
        self._last = (statement, parameters)
        return await super().rows(statement, parameters)

    async def explain(self) -> list[Any]:
        """Return what the database says of the last statement."""
        statement, parameters = self._last
        lane = await self._engines.read.take()
        try:
            plan = lane.plans.of(statement)
            arguments = plan.arguments(parameters)
            if isinstance(lane.driver, aiosqlite.Connection):
                rows = await lane.driver.execute_fetchall(f"EXPLAIN QUERY PLAN {plan.sql}", arguments)
                return [row[-1] for row in rows]
            explain = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {plan.sql}"
            (explained,) = await lane.driver.fetchval(explain, *arguments)
            return steps_of(explained["Plan"])
        finally:
            self._engines.read.give_back(lane)

    async def instructions(self) -> int:
        """Return how many instructions SQLite's virtual machine carries out for the last statement, to the hundred."""
        statement, parameters = self._last
        lane = await self._engines.read.take()
        hundreds = itertools.count()
        try:
            assert isinstance(lane.driver, aiosqlite.Connection)
            await lane.driver.set_progress_handler(lambda: next(hundreds) and None, 100)
            await lane.run(statement, parameters)
            await lane.driver.set_progress_handler(lambda: None, 0)
            return next(hundreds) * 100
        finally:
            self._engines.read.give_back(lane)

    async def plans_made(self) -> tuple[int, int]:
        """Return how often the last statement was carried out by a plan for its parameters, and by one for any."""
        statement, _ = self._last
        # Each connection knows of its own only: the one that was used last is the next to be taken.
        lane = await self._engines.read.take()
        try:
            assert not isinstance(lane.driver, aiosqlite.Connection)
            uses = "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement = $1"
            made = await lane.driver.fetchrow(uses, lane.plans.of(statement).sql)
            assert made
            return made["custom_plans"], made["generic_plans"]
        finally:
            self._engines.read.give_back(lane)


def steps_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of a plan, the last first."""
    return [plan, *(step for part in plan.get("Plans", ()) for step in steps_of(part))]


def scans_among(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps that read the table, but for those that were planned and not needed."""
    return [step for step in steps if "Relation Name" in step and step["Actual Loops"]]


async def list_items(
    reads: Reads,
    owner_id: UserId | None,
    order: Order[ItemSort],
    which: ItemFilter = EVERY_ITEM,
    *,
    after: Place | None = None,
) -> int:
    items = SqlItemQueries(reads)
    page = (
        await items.page_of_all(which, order=order, limit=LIMIT, after=after)
        if owner_id is None
        else await items.page(owner_id, which, order=order, limit=LIMIT, after=after)
    )
    return len(page.data)


async def kept_of_a_search(reads: Reads) -> float:
    """Return the bytes that stay in memory of what a search was made of. There are hundreds, of 200 kB when made."""
    orders = [Order(by, descending=descending) for by in ItemSort for descending in (False, True)]
    which = ItemFilter(q="zebra", tag="few", created_after=NOW, created_before=NOW)
    await list_items(reads, OWNER, orders[0], which)
    tracemalloc.start()
    try:
        for order in orders[1:]:
            await list_items(reads, OWNER, order, which)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return kept / len(orders[1:])


def index_of(owner_id: UserId | None, by: ItemSort) -> str:
    return f"ix_items_{'' if owner_id is None else 'owner_id_'}{by}_id"


def place_in(by: ItemSort) -> Place:
    return Place(SOMEWHERE[by], OWNER)


# --- SQLite


def tags_of(number: int) -> list[str]:
    """Return what is on all items, on all of the other's and few of the owner's, or on few of all."""
    if number % 1000 == 0:
        return ["many", "theirs", "few"]
    return ["many", "theirs"] if number % 2 else ["many"]


@pytest.fixture(scope="module")
def full_file(sqlite_template: Path) -> Path:
    """Provide a file with many items, of which few have a word of their own."""
    path = sqlite_template.with_name("full.db")
    path.write_bytes(sqlite_template.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("utc", 1, lambda number: (NOW + timedelta(seconds=number)).strftime("%F %T.%f"))
        connection.create_function("tags", 1, lambda number: json.dumps(tags_of(number)))
        connection.execute(
            """
            INSERT INTO users (id, email, password_hash, role, is_active, email_verified, created_at, updated_at,
                version)
            SELECT value, value || '@example.org', '', 'member', 1, 0, utc(0), utc(0), 1 FROM json_each(?)
            """,
            (json.dumps([OWNER.hex, OTHER.hex]),),
        )
        connection.execute(
            """
            WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows - 1)
            INSERT INTO items (id, owner_id, title, tags, created_at, updated_at, version, search_text)
            SELECT printf('%032x', n), iif(n % 2, :other, :owner), printf('Item %06d', n),
                tags(n), utc(n), utc(n), 1,
                printf('item %06d ', n) || iif(n % 1000, 'usual', 'zebra') FROM numbers
            """,
            {"rows": ROWS, "owner": OWNER.hex, "other": OTHER.hex},
        )
        connection.commit()
    return path


@pytest.fixture
def on_sqlite(full_file: Path, engines_of: Callable[[str], Engines]) -> Explaining:
    return Explaining(engines_of(f"sqlite:///{full_file}"))


@EVERY_ORDER
@BOTH_DIRECTIONS
@ANYWHERE
@ANYBODY
async def test_sqlite_walks_the_index_of_the_order(
    on_sqlite: Explaining, owner_id: UserId | None, by: ItemSort, descending: bool, is_behind_a_place: bool
) -> None:
    after = place_in(by) if is_behind_a_place else None

    found = await list_items(on_sqlite, owner_id, Order(by, descending=descending), after=after)

    plan = await on_sqlite.explain()
    assert found == LIMIT
    assert len(plan) == 1
    assert f"items USING INDEX {index_of(owner_id, by)}" in plan[0]
    # A place is a bound of the index, not a condition on each row.
    assert (f"({by},id)" in plan[0]) == is_behind_a_place


@pytest.mark.parametrize(
    ("which", "instructions"),
    [
        (ItemFilter(q="zebra"), 3_000),
        (ItemFilter(tag="few"), 3_000),
        (ItemFilter(q="item", tag="few"), 3_000),
        # To see that many are tagged takes some.
        (ItemFilter(q="zebra", tag="many"), 15 * FEW),
    ],
    ids=str,
)
@ANYBODY
async def test_sqlite_goes_straight_to_the_few_that_match(
    on_sqlite: Explaining, owner_id: UserId | None, which: ItemFilter, instructions: int
) -> None:
    found = await list_items(on_sqlite, owner_id, Order(ItemSort.CREATED_AT), which)

    assert found == ROWS / 1000
    assert "SEARCH items USING INTEGER PRIMARY KEY (rowid=?)" in await on_sqlite.explain()
    # To look at each would take ten for each item.
    assert await on_sqlite.instructions() < instructions


async def test_sqlite_counts_what_the_owner_tagged_and_not_what_others_did(on_sqlite: Explaining) -> None:
    found = await list_items(on_sqlite, OWNER, Order(ItemSort.CREATED_AT), ItemFilter(tag="theirs"))

    assert found == ROWS / 1000
    assert await on_sqlite.instructions() < 3_000


@pytest.mark.parametrize(
    ("which", "instructions"),
    [
        (ItemFilter(q="usual"), 20 * FEW),
        (ItemFilter(tag="many"), 20 * FEW),
        (ItemFilter(q="usual", tag="many"), 40 * FEW),
        (ItemFilter(q="it"), 3_000),
    ],
    ids=str,
)
@ANYBODY
async def test_sqlite_looks_at_each_where_many_match(
    on_sqlite: Explaining, owner_id: UserId | None, which: ItemFilter, instructions: int
) -> None:
    assert ROWS / 2 > FEW

    found = await list_items(on_sqlite, owner_id, Order(ItemSort.TITLE), which)

    plan = await on_sqlite.explain()
    assert found == LIMIT
    assert [step for step in plan if f"items USING INDEX {index_of(owner_id, ItemSort.TITLE)}" in step]
    # To fetch the many that it found first would take twenty-five for each.
    assert await on_sqlite.instructions() < instructions


async def test_sqlite_keeps_little_of_a_search(on_sqlite: Explaining) -> None:
    assert await kept_of_a_search(on_sqlite) < 40_000


# --- PostgreSQL


@pytest.fixture(scope="module")
def full_database(postgresql_server: Server, postgresql_template: str) -> str:
    """Provide a database with many items, of which few have a word and a tag that its statistics do not know."""
    url = postgresql_server.create(copy_of=postgresql_template)
    many, few = (
        f"""
        INSERT INTO items (id, owner_id, title, tags, created_at, updated_at, version, search_text)
        SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN '{OWNER}' ELSE '{OTHER}' END::uuid,
            'Item ' || lpad(n::text, 6, '0'), '{{{tags}}}',
            '{NOW}'::timestamptz + n * interval '1 s', '{NOW}'::timestamptz + n * interval '1 s', 1,
            'item ' || lpad(n::text, 6, '0') || ' {word}'
        FROM generate_series(0, {ROWS - 1}) AS n WHERE (n % 1000 = 0) = {is_few}
        """  # noqa: S608 - constants
        for tags, word, is_few in (("many", "usual", False), ("many,few", "zebra", True))
    )
    postgresql_server.execute(
        url,
        f"""
        INSERT INTO users (id, email, password_hash, role, is_active, email_verified, created_at, updated_at, version)
        SELECT id, id || '@example.org', '', 'member', true, false, '{NOW}', '{NOW}', 1
        FROM unnest('{{{OWNER}, {OTHER}}}'::uuid[]) AS id
        """,  # noqa: S608 - constants
    )
    for statement in (many, "VACUUM ANALYZE items", few):
        postgresql_server.execute(url, statement)
    return url


@pytest.fixture
def on_postgresql(full_database: str, engines_of: Callable[[str], Engines]) -> Explaining:
    return Explaining(engines_of(full_database))


@EVERY_ORDER
@BOTH_DIRECTIONS
@ANYWHERE
@ANYBODY
async def test_postgresql_walks_the_index_of_the_order_no_further_than_the_page(
    on_postgresql: Explaining, owner_id: UserId | None, by: ItemSort, descending: bool, is_behind_a_place: bool
) -> None:
    after = place_in(by) if is_behind_a_place else None

    found = await list_items(on_postgresql, owner_id, Order(by, descending=descending), after=after)

    limit, scan = await on_postgresql.explain()
    assert found == LIMIT
    assert (limit["Node Type"], scan["Node Type"]) == ("Limit", "Index Scan")
    assert scan["Index Name"] == index_of(owner_id, by)
    assert scan["Actual Rows"] == LIMIT + 1
    assert scan.get("Rows Removed by Filter", 0) == 0
    assert not is_behind_a_place or "ROW(" in scan["Index Cond"]


@pytest.mark.parametrize(
    ("which", "index"),
    [(ItemFilter(q="zebra"), "ix_items_search_text"), (ItemFilter(tag="few"), "ix_items_tags")],
    ids=["by text", "by tag"],
)
@ANYBODY
async def test_postgresql_goes_straight_to_the_few_that_match(
    full_database: str,
    on_postgresql: Explaining,
    engines_of: Callable[[str], Engines],
    owner_id: UserId | None,
    which: ItemFilter,
    index: str,
) -> None:
    found = await list_items(on_postgresql, owner_id, Order(ItemSort.CREATED_AT), which)

    steps = await on_postgresql.explain()
    assert found == ROWS / 1000
    # The PostgreSQL of the wheel has no `pg_trgm`, and the migration no index of texts to make there.
    async with engine_on(engines_of(full_database).write).connect() as connection:
        made = await connection.scalar(sa.select(sa.func.to_regclass(index).is_not(None)))
    assert (index in {step.get("Index Name") for step in steps}) is made


@EVERY_ORDER
@BOTH_DIRECTIONS
@ANYWHERE
@ANYBODY
@pytest.mark.parametrize("which", [ItemFilter(q="usual"), ItemFilter(tag="many")], ids=["by text", "by tag"])
async def test_postgresql_fills_a_page_of_what_is_common_from_the_nearest(
    on_postgresql: Explaining,
    owner_id: UserId | None,
    by: ItemSort,
    descending: bool,
    is_behind_a_place: bool,
    which: ItemFilter,
) -> None:
    after, order = place_in(by) if is_behind_a_place else None, Order(by, descending=descending)

    found = await list_items(on_postgresql, owner_id, order, which, after=after)

    (scan,) = scans_among(await on_postgresql.explain())
    assert found == LIMIT
    assert scan["Index Name"] == index_of(owner_id, by)
    # Where the first on the way is one of the few, it is passed over.
    assert scan["Actual Rows"] <= LIMIT + 2


@pytest.mark.parametrize("tag", [None, "many"])
async def test_postgresql_does_not_take_a_text_for_common_that_it_keeps(
    full_database: str, on_postgresql: Explaining, engines_of: Callable[[str], Engines], tag: str | None
) -> None:
    """It estimates from a hundred texts that it keeps, where one that matches counts for a hundredth of all rows."""
    statistics = (
        "SELECT (histogram_bounds::text::text[])[50] FROM pg_stats"
        " WHERE tablename = 'items' AND attname = 'search_text'"
    )
    text = (await engines_of(full_database).read.run(sa.text(statistics), {})).value()
    assert text

    found = await list_items(on_postgresql, None, Order(ItemSort.CREATED_AT), ItemFilter(q=text, tag=tag))

    nearest, few = scans_among(await on_postgresql.explain())
    assert found == 1
    assert nearest["Actual Rows"] == NEAREST
    assert few["Actual Rows"] == 1
    assert few["Plan Rows"] < ROWS / 1000


async def test_postgresql_does_not_take_a_tag_for_common_that_it_does_not_know(on_postgresql: Explaining) -> None:
    """It expects such a tag of every two hundredth row, and so among 1,000,000 would walk past all of them."""
    found = await list_items(on_postgresql, None, Order(ItemSort.CREATED_AT), ItemFilter(tag="few"))

    nearest, few = scans_among(await on_postgresql.explain())
    assert nearest["Actual Rows"] == NEAREST
    assert found == few["Actual Rows"] == ROWS / 1000
    assert few["Plan Rows"] < ROWS / 1000


@pytest.mark.parametrize("which", [ItemFilter(q="usual"), ItemFilter(q="zq"), ItemFilter(tag="many")], ids=str)
@ANYBODY
async def test_postgresql_plans_anew_for_what_is_sought(
    on_postgresql: Explaining, owner_id: UserId | None, which: ItemFilter
) -> None:
    """After five times it would settle on one plan for all, which walks past every item in search of a rare text."""
    for _ in range(8):
        await list_items(on_postgresql, owner_id, Order(ItemSort.CREATED_AT), which)

    for_these, for_any = await on_postgresql.plans_made()
    assert for_these >= 8
    assert for_any == 0


async def test_postgresql_keeps_little_of_a_search(on_postgresql: Explaining) -> None:
    assert await kept_of_a_search(on_postgresql) < 40_000

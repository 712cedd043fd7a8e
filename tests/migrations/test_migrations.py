"""Every step of the schema can be taken, undone and taken again, by however many at once."""

import ast
import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql import migrations
from adapters.sql.base import metadata
from adapters.sql.engines import make_engines
from adapters.sql.items import SqlItemRepository
from adapters.sql.migrations import make_migration_engine
from adapters.sql.revisions import SCRIPTS as FOLDER
from adapters.sql.revisions import head_revision
from adapters.sql.schema import SqlSchema
from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import SqlUserRepository
from application.schema import UnknownRevision
from tests.builders import a_user, an_item
from tests.cli.conftest import environ_of

SCRIPTS = list(reversed(list(ScriptDirectory(str(FOLDER)).walk_revisions())))
EVERY_SCRIPT = pytest.mark.parametrize("script", SCRIPTS, ids=[script.revision for script in SCRIPTS])
ROOT = FOLDER.parent


@pytest.fixture(params=["sqlite", "postgresql"])
def blank_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/blank.db"
    url: str = request.getfixturevalue("postgresql_blank")
    return url


@pytest.fixture
async def engine(blank_url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_migration_engine(blank_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def schema(blank_url: str) -> AsyncIterator[SqlSchema]:
    engines = make_engines(blank_url)
    yield SqlSchema(blank_url, engines)
    await engines.dispose()


async def shape(engine: AsyncEngine) -> dict[str, Any]:
    """Return everything about the tables that can be asked for."""

    def look(connection: sa.Connection) -> dict[str, Any]:
        inspector = sa.inspect(connection)
        return {
            table: [
                sorted(map(repr, inspector.get_columns(table))),
                sorted(map(repr, inspector.get_indexes(table))),
                sorted(map(repr, inspector.get_unique_constraints(table))),
                sorted(map(repr, inspector.get_foreign_keys(table))),
                repr(inspector.get_pk_constraint(table)),
            ]
            for table in inspector.get_table_names()
            if table != "alembic_version"
        }

    async with engine.connect() as connection:
        return await connection.run_sync(look)


def before(script: Script) -> str:
    return str(script.down_revision or "base")


# --- what migrations do


async def test_every_step_can_be_taken_undone_and_taken_again(engine: AsyncEngine) -> None:
    for script in SCRIPTS:
        below = await shape(engine)
        await migrations.upgrade(engine, script.revision)
        above = await shape(engine)

        await migrations.downgrade(engine, before(script))
        assert await shape(engine) == below, f"{script.revision} is not undone"

        await migrations.upgrade(engine, script.revision)
        assert await shape(engine) == above, f"{script.revision} is not what it was"


async def test_the_tables_are_what_the_metadata_says(engine: AsyncEngine, schema: SqlSchema) -> None:
    await schema.upgrade()

    assert await schema.differences() == []
    beside = {"item_tags", "items_search"} | {f"items_search_{part}" for part in ("config", "data", "idx")}
    on_sqlite = engine.dialect.name == "sqlite"
    assert set(await shape(engine)) == set(metadata.tables) | (beside if on_sqlite else set())


async def test_tells_what_is_missing(engine: AsyncEngine, schema: SqlSchema) -> None:
    await schema.upgrade()
    async with engine.begin() as connection:
        await connection.execute(sa.text("ALTER TABLE items DROP COLUMN description"))

    assert await schema.differences() == ["add_column items.description"]


async def test_knows_where_the_schema_is_and_should_be(engine: AsyncEngine, schema: SqlSchema) -> None:
    assert await schema.current() is None
    await schema.upgrade()
    assert await schema.current() == schema.head() == SCRIPTS[-1].revision
    await schema.upgrade()
    assert await schema.current() == schema.head()
    await schema.downgrade("base")
    assert await schema.current() is None
    assert await shape(engine) == {}


async def test_does_not_take_a_database_of_somebody_else_for_an_empty_one(
    engine: AsyncEngine, schema: SqlSchema
) -> None:
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE alembic_version (number INTEGER)"))

    with pytest.raises((sqlite3.OperationalError, asyncpg.UndefinedColumnError)):
        await schema.upgrade()
    assert await shape(engine) == {}


async def test_refuses_revisions_that_it_does_not_know(engine: AsyncEngine, schema: SqlSchema) -> None:
    await schema.upgrade()

    with pytest.raises(UnknownRevision):
        await schema.downgrade("9999")

    async with engine.begin() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnknownRevision):
        await schema.upgrade()


async def test_a_step_that_fails_leaves_nothing_behind(engine: AsyncEngine, schema: SqlSchema) -> None:
    await migrations.upgrade(engine, SCRIPTS[0].revision)
    below = await shape(engine)
    async with engine.begin() as connection:
        # Something that the next steps want to make is in their way already.
        table = max(set(metadata.tables) - set(below))
        await connection.execute(sa.text(f"CREATE TABLE {table} (id INTEGER)"))
    obstructed = await shape(engine)

    with pytest.raises(sa.exc.DBAPIError):
        await migrations.upgrade(engine)

    assert await shape(engine) == obstructed
    assert await schema.current() == SCRIPTS[0].revision


async def test_making_a_table_anew_keeps_what_refers_to_it(engine: AsyncEngine, blank_url: str) -> None:
    await migrations.upgrade(engine)
    user = a_user()
    item = an_item(user)
    engines = make_engines(blank_url)
    unit = SqlUnitOfWork(engines.write)
    await SqlUserRepository(unit).add(user)
    await SqlItemRepository(unit).add(item)
    await unit.commit()

    def make_anew(connection: sa.Connection) -> None:
        operations = Operations(MigrationContext.configure(connection))
        recreate: Literal["always", "auto"] = "always" if blank_url.startswith("sqlite") else "auto"
        with operations.batch_alter_table("users", recreate=recreate) as table:
            table.alter_column("full_name", type_=sa.String(300))

    async with engine.begin() as connection:
        await connection.run_sync(make_anew)

    assert await SqlItemRepository(unit).get(user.id, item.id) == item
    await unit.close()
    await engines.dispose()


FOUR_AT_ONCE = """
import asyncio, logging, multiprocessing, sys
from adapters.sql import migrations
from adapters.sql.migrations import make_migration_engine

async def upgrade(url):
    engine = make_migration_engine(url)
    await migrations.upgrade(engine)
    await engine.dispose()

def run():
    for url in sys.argv[1:]:
        together.wait()
        asyncio.run(upgrade(url))

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
fork = multiprocessing.get_context("fork")
together = fork.Barrier(4)
processes = [fork.Process(target=run) for _ in range(4)]
for process in processes:
    process.start()
for process in processes:
    process.join()
sys.exit(sum(process.exitcode != 0 for process in processes))
"""


@pytest.mark.process
async def test_of_four_processes_at_once_one_migrates_and_all_succeed(postgresql_blank: str, tmp_path: Path) -> None:
    urls = [postgresql_blank, f"sqlite:///{tmp_path}/blank.db"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "ignore",
        "-c",
        FOUR_AT_ONCE,
        *urls,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()

    steps = [line for line in output.decode().splitlines() if line.startswith("Running upgrade")]
    assert process.returncode == 0, errors.decode()
    assert len(steps) == len(urls) * len(SCRIPTS)
    for url in urls:
        engines = make_engines(url)
        assert await SqlSchema(url, engines).current() == head_revision()
        await engines.dispose()


# --- how migrations are drafted


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """A database with all tables."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('sqlite_copy')}"
    url: str = request.getfixturevalue("postgresql_copy")
    return url


def alembic(url: str, folder: Path, *arguments: str) -> str:
    """Run Alembic's command in a folder, on a database; return what it printed."""
    ran = subprocess.run(  # noqa: S603 - a library's command
        [sys.executable, "-m", "alembic", *arguments],
        cwd=folder,
        env=environ_of() | {"PORTICO_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def draft(url: str, folder: Path) -> dict[str, str]:
    """Have a migration drafted as the README says; return the text of each new file, by its name."""
    scripts = folder / "alembic" / "versions"
    there = set(scripts.glob("*.py"))
    alembic(url, folder, "revision", "--autogenerate", "-m", "Notes")
    return {path.name: path.read_text(encoding="utf-8") for path in set(scripts.glob("*.py")) - there}


@pytest.mark.process
@pytest.mark.long
@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_a_migration_is_drafted_for_what_the_tables_lack(migrated_url: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    shutil.copytree(FOLDER, tmp_path / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    engine = make_migration_engine(migrated_url)
    async with engine.begin() as connection:
        await connection.execute(sa.text("ALTER TABLE items DROP COLUMN description"))
    await engine.dispose()

    ((name, text),) = draft(migrated_url, tmp_path).items()

    number = f"{int(head_revision()) + 1:04}"
    assert name == f"{number}_notes.py"
    assert re.search(rf"^revision = '{number}'$", text, re.MULTILINE)
    assert re.search(r"add_column\(.*sa\.Column\('description'", text)


# --- how migrations are written


def test_the_head_is_where_the_line_of_revisions_ends() -> None:
    assert head_revision() == ScriptDirectory(str(FOLDER)).get_current_head()


def test_there_is_one_line_of_revisions() -> None:
    assert [script.down_revision for script in SCRIPTS] == [None, *(script.revision for script in SCRIPTS[:-1])]


@EVERY_SCRIPT
def test_says_what_it_does_and_undoes_it(script: Script) -> None:
    tree = ast.parse(Path(script.path).read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}

    summary = (ast.get_docstring(tree) or "").splitlines()[0]
    assert summary.endswith(".")
    assert Path(script.path).name.startswith(f"{script.revision}_")
    for name in ("upgrade", "downgrade"):
        assert not isinstance(functions[name].body[-1], ast.Pass), f"{name} does nothing"


@EVERY_SCRIPT
def test_depends_on_no_version_of_portico(script: Script) -> None:
    tree = ast.parse(Path(script.path).read_text(encoding="utf-8"))

    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {name.partition(".")[0] for name in imported} <= {"alembic", "sqlalchemy"} | sys.stdlib_module_names

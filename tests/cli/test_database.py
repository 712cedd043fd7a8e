"""`portico database`, and what other commands do about the schema."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapters.sql.revisions import head_revision
from domain.errors import Unavailable
from entrypoints.cli.runner import telling_of_new_database
from entrypoints.settings import load_settings
from tests.builders import an_email
from tests.cli.conftest import Portico
from tests.postgres import Server


@pytest.fixture
def head() -> str:
    """Provide the newest revision."""
    return head_revision()


@pytest.fixture(params=["sqlite", "postgresql"])
def blank(request: pytest.FixtureRequest, command: Portico, monkeypatch: pytest.MonkeyPatch) -> Portico:
    """Provide `portico` on a database without tables."""
    if request.param == "postgresql":
        monkeypatch.setenv("PORTICO_DATABASE_URL", request.getfixturevalue("postgresql_blank"))
    return command


def test_takes_an_empty_database_to_the_head_and_back(blank: Portico, head: str) -> None:
    assert blank("database", "current", "--json").data == {"current": None, "head": head}
    assert blank("database", "current").out == f"base, behind {head}\n"

    assert blank("database", "upgrade").err == f"The schema is at {head}.\n"
    assert blank("database", "current").out == f"{head} (head)\n"
    assert blank("database", "upgrade").code == 0

    assert blank("database", "downgrade", "base").err == "The schema is at base.\n"
    assert blank("database", "current", "--json").data["current"] is None


def test_finds_a_schema_at_the_head_as_it_should_be(blank: Portico) -> None:
    blank("database", "upgrade")

    checked = blank("database", "check")

    assert checked.code == 0
    assert checked.err.endswith(", and as it should be.\n")


@pytest.mark.parametrize("revision", ["base", "0001"])
def test_finds_that_the_schema_is_behind(blank: Portico, head: str, revision: str) -> None:
    blank("database", "upgrade")
    blank("database", "downgrade", revision)

    checked = blank("database", "check")

    assert checked.code == 1
    assert "portico database upgrade" in checked.err
    assert blank("database", "current").out == f"{revision}, behind {head}\n"


def test_advises_no_upgrade_of_a_schema_that_a_newer_version_made(
    blank: Portico, head: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    blank("database", "upgrade")
    settings, newer = load_settings(folder=folder), "UPDATE alembic_version SET version_num = '9999'"
    if settings.is_sqlite:
        with closing(sqlite3.connect(folder / "portico.db")) as connection, connection:
            connection.execute(newer)
    else:
        request.getfixturevalue("postgresql_server").execute(settings.database_url, newer)

    for arguments in ["database", "check"], ["database", "upgrade"], ["users", "create", an_email()]:
        refused = blank(*arguments)
        assert refused.code == 1
        assert refused.err.startswith("portico: This version of Portico does not know the revision")
    assert blank("database", "current").out == f"9999, unknown to this version, which needs {head}\n"
    assert blank("database", "current", "--json").data == {"current": "9999", "head": head}


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "arguments", [("items", "list", "--json"), ("database", "upgrade"), ("database", "current"), ("database", "check")]
)
def test_says_that_it_has_made_a_database(command: Portico, folder: Path, arguments: tuple[str, ...]) -> None:
    first, second = command(*arguments), command(*arguments)

    told, *rest = first.err.splitlines(keepends=True)
    assert told == f"Made a new database: {folder / 'portico.db'}\n"
    assert (second.code, second.out, second.err) == (first.code, first.out, "".join(rest))


def test_says_nothing_of_a_database_that_it_could_not_make(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unavailable), telling_of_new_database(load_settings(folder=folder)):
        raise Unavailable

    assert capsys.readouterr().err == ""


@pytest.mark.sqlite
def test_finds_what_was_changed_by_hand(command: Portico, folder: Path) -> None:
    command("database", "upgrade")
    with closing(sqlite3.connect(folder / "portico.db")) as connection:
        connection.execute("ALTER TABLE items RENAME COLUMN title TO heading")

    checked = command("database", "check")

    assert checked.code == 1
    assert checked.err.count("\n") == 1
    assert "add_column items.title" in checked.err
    assert "remove_column items.heading" in checked.err


@pytest.mark.parametrize("revision", ["9999", "-99"])
def test_refuses_a_revision_that_does_not_exist(blank: Portico, revision: str) -> None:
    blank("database", "upgrade")

    refused = blank("database", "downgrade", "--", revision)

    assert refused.code == 1
    assert refused.err.startswith("portico: This version of Portico does not know the revision")


@pytest.mark.sqlite
def test_makes_and_migrates_a_sqlite_file_when_a_command_needs_it(command: Portico, folder: Path) -> None:
    assert command("users", "create", an_email()).code == 0

    assert (folder / "portico.db").exists()
    assert command("database", "check").code == 0


def test_asks_for_an_upgrade_where_postgresql_is_behind(
    command: Portico, postgresql_blank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", postgresql_blank)

    refused = command("users", "list")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.endswith("run: portico database upgrade\n")
    assert command("database", "upgrade").code == 0
    assert command("users", "list").code == 0


def test_runs_no_command_where_what_is_read_from_is_behind(
    command: Portico, postgresql_blank: str, postgresql_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", postgresql_blank)
    command("database", "upgrade")
    monkeypatch.setenv("PORTICO_DATABASE_READ_URL", postgresql_server.create())

    refused = command("users", "list")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.endswith("run: portico database upgrade\n")


@pytest.mark.sqlite
def test_refuses_a_file_that_a_newer_version_upgraded(command: Portico, folder: Path) -> None:
    command("database", "upgrade")
    with closing(sqlite3.connect(folder / "portico.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'next'")

    refused = command("users", "list")

    assert refused.code == 1
    assert "a newer one may have made it" in refused.err

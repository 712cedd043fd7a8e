"""What all commands have in common."""

import json
import os
import sqlite3
import sys
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from entrypoints.cli import main
from entrypoints.cli.main import COMMANDS, run
from tests.builders import PASSWORD, SECRET_KEY, an_email
from tests.cli.conftest import Portico


def test_lists_its_commands_without_loading_them(command: Portico) -> None:
    shown = command("--help")

    assert (shown.code, shown.err) == (0, "")
    for name, (_, line) in COMMANDS.items():
        assert f"{name} " in shown.out
        assert line in shown.out


def test_offers_its_commands_for_completion() -> None:
    offered = ShellComplete(main.portico, {}, "portico", "_PORTICO_COMPLETE").get_completions([], "")

    assert [item.value for item in offered] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_tells_of_a_command_what_the_command_tells(name: str) -> None:
    module, line = COMMANDS[name]
    loaded: click.Command = getattr(import_module(module), name.replace("-", "_"))

    assert (loaded.help or "").startswith(line.removesuffix("."))
    assert loaded.name == name


def test_shows_its_version(command: Portico) -> None:
    assert command("--version").out == f"portico {version('portico')}\n"


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("users", "nonsense"), ("users", "list", "--limit", "0")])
def test_ends_with_2_when_misused(command: Portico, arguments: tuple[str, ...]) -> None:
    misused = command(*arguments)

    assert (misused.code, misused.out) == (2, "")
    assert "Usage: portico" in misused.err


def test_ends_the_process_with_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["portico", "nonsense"])

    with pytest.raises(SystemExit) as ended:
        main.main()

    assert ended.value.code == 2


def test_names_a_bad_setting_on_one_line(command: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_SIGNUP", "perhaps")

    for arguments in (("users", "list"), ("settings",), ("serve",), ("database", "current")):
        refused = command(*arguments)

        assert (refused.code, refused.out) == (1, "")
        assert refused.err.startswith("portico: PORTICO_SIGNUP must be one of ")
        assert refused.err.count("\n") == 1


def test_refuses_commands_that_could_not_reach_the_data(command: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", "memory:")

    refused = command("users", "create", an_email())

    assert (refused.code, refused.out) == (1, "")
    assert "no command can reach" in refused.err


def test_tells_why_the_database_does_not_answer(command: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", "postgresql://ada:secret@127.0.0.1:1/portico")

    refused = command("users", "list")

    assert refused.code == 1
    assert refused.err.count("\n") == 1
    assert "(127.0.0.1:1: " in refused.err
    assert "secret" not in refused.err


@pytest.mark.sqlite
def test_tells_that_the_file_is_no_database(command: Portico, folder: Path) -> None:
    (folder / "portico.db").write_text("this is a text, and a long one at that" * 100)

    refused = command("users", "list")

    assert refused.code == 1
    assert "not a database" in refused.err
    assert refused.err.count("\n") == 1


@pytest.mark.sqlite
def test_waits_for_a_locked_file_and_then_gives_up(
    command: Portico, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.sql.engines._PRAGMAS", ("journal_mode=WAL", "busy_timeout=10"))
    command("database", "upgrade")
    with sqlite3.connect(folder / "portico.db") as connection:
        connection.execute("BEGIN IMMEDIATE")

        refused = command("users", "create", an_email())

    connection.close()
    assert refused.code == 1
    assert "locked" in refused.err


@pytest.mark.sqlite
def test_ends_with_130_when_interrupted(command: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def readline(self) -> bytes:
            raise KeyboardInterrupt

    class Stdin:
        buffer = Interrupted()

    command("database", "upgrade")
    monkeypatch.setattr(sys, "stdin", Stdin())

    assert run(["users", "create", an_email(), "--password-stdin"]) == 130


@pytest.mark.sqlite
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_ends_quietly_when_nobody_reads_on(
    command: Portico, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    command("users", "create", an_email(), "--password-stdin", stdin=PASSWORD.encode())
    reader, writer = os.pipe()
    os.close(reader)
    stdout = os.fdopen(writer, "w")
    monkeypatch.setattr(sys, "stdout", stdout)

    with pytest.raises(SystemExit) as ended:
        run(["users", "list", *options])

    with suppress(BrokenPipeError):
        stdout.close()
    assert ended.value.code == 1


def test_shows_the_settings_with_secrets_masked(command: Portico) -> None:
    table, data = command("settings"), command("settings", "--json").data

    assert SECRET_KEY not in table.out + str(data)
    assert data["PORTICO_SIGNUP"] == "open"
    assert "PORTICO_SIGNUP" in table.out


def test_reads_the_settings_of_the_folder_it_is_given_in(command: Portico, folder: Path) -> None:
    (folder / ".env").write_text("PORTICO_SIGNUP=closed\n")

    assert command("settings", "--json").data["PORTICO_SIGNUP"] == "closed"


def test_writes_the_openapi_document(command: Portico, folder: Path) -> None:
    printed = command("openapi")
    written = command("openapi", "--output", "api.json")

    assert (written.code, written.out) == (0, "")
    assert json.loads((folder / "api.json").read_text()) == printed.data
    assert printed.data["openapi"].startswith("3.1")


def test_refuses_to_write_where_it_can_not(command: Portico) -> None:
    refused = command("openapi", "--output", "no/such/folder/api.json")

    assert refused.code == 1
    assert refused.err.count("\n") == 1


@pytest.mark.sqlite
def test_a_file_s_name_that_is_too_long_is_told(command: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", f"sqlite:///{'x' * 300}.db")

    failed = command("users", "list")

    assert (failed.code, failed.out, failed.err.count("\n")) == (1, "", 1)

"""Standard streams that are closed, full or of a poor encoding: told on one line, or got along with."""

import sys
from pathlib import Path

import pytest

from entrypoints.cli.main import run
from tests.cli.conftest import Portico, Shell, an_owner

pytestmark = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)

FULL = pytest.mark.linux  # which has a disk that is always full


@FULL
def test_says_what_it_has_made_where_stdout_is_full(
    portico: Portico, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = an_owner(portico)

    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code = run(["items", "create", "Milk", "--owner", owner])

    made, reason = capsys.readouterr().err.splitlines()
    assert (code, reason) == (1, "portico: Can't write stdout: No space left on device.")
    assert made.startswith("Made the item ")


@FULL
@pytest.mark.process
@pytest.mark.parametrize("command", ["settings", "items --help", "--version"])
def test_says_that_stdout_is_full_once(shell: Shell, command: str) -> None:
    failed = shell(f"portico {command} > /dev/full")

    assert (failed.code, failed.err) == (1, "portico: Can't write stdout: No space left on device.\n")


@pytest.mark.process
def test_says_that_stdout_is_closed(shell: Shell) -> None:
    failed = shell("portico settings >&-")

    assert (failed.code, failed.err) == (1, "portico: Can't write stdout: it is closed.\n")


@pytest.mark.process
def test_tells_nobody_where_stderr_is_closed(shell: Shell) -> None:
    failed = shell("portico nonsense 2>&-")

    assert (failed.code, failed.out, failed.err) == (2, "", "")


@pytest.mark.process
def test_says_that_stdin_is_closed(shell: Shell) -> None:
    failed = shell("portico users create new@example.org --password-stdin <&-")

    assert (failed.code, failed.err) == (1, "portico: Can't read stdin: it is closed.\n")


def test_does_not_ask_where_stdin_is_closed(portico: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = an_owner(portico)
    monkeypatch.setattr(sys, "stdin", None)

    assert run(["users", "delete", owner]) == 0


@pytest.mark.process
def test_escapes_what_the_encoding_lacks(shell: Shell) -> None:
    shown = shell("portico settings", PORTICO_MAIL_FROM="日本 <a@example.org>", PYTHONIOENCODING="latin-1")

    assert shown.code == 0, shown.err
    assert r"\u65e5\u672c" in shown.out

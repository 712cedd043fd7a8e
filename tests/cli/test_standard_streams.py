"""Stdin and stdout that are closed, full or of a poor encoding: told on one line, or got along with."""

from pathlib import Path

import pytest

from tests.cli.conftest import Portico, Shell, an_owner

pytestmark = [pytest.mark.process, pytest.mark.parametrize("storage", ["sqlite"], indirect=True)]

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")


def an_item(portico: Portico, owner: str, title: str) -> None:
    assert portico("items", "create", title, "--owner", owner).code == 0


@FULL
@pytest.mark.parametrize("line", ["items list --json", "items list", "settings --json", "items export - --owner {}"])
def test_says_that_stdout_is_full(portico: Portico, shell: Shell, line: str) -> None:
    owner = an_owner(portico)
    an_item(portico, owner, "Milk")

    failed = shell(f"portico {line.format(owner)} > /dev/full")

    assert (failed.code, failed.err) == (1, "portico: Can't write stdout: No space left on device.\n")


@FULL
def test_says_what_it_has_made_where_stdout_is_full(portico: Portico, shell: Shell) -> None:
    failed = shell(f"portico items create Milk --owner {an_owner(portico)} > /dev/full")

    made, reason = failed.err.splitlines()
    assert (failed.code, reason) == (1, "portico: Can't write stdout: No space left on device.")
    assert made.startswith("Made the item ")


@pytest.mark.parametrize("line", ["items list --json", "items list", "items export - --owner {}"])
def test_says_that_stdout_is_closed(portico: Portico, shell: Shell, line: str) -> None:
    owner = an_owner(portico)

    failed = shell(f"portico {line.format(owner)} >&-")

    assert (failed.code, failed.err) == (1, "portico: Can't write stdout: it is closed.\n")


@pytest.mark.parametrize("line", ["items import - --owner {}", "users create new@example.org --password-stdin"])
def test_says_that_stdin_is_closed(portico: Portico, shell: Shell, line: str) -> None:
    failed = shell(f"portico {line.format(an_owner(portico))} <&-")

    assert (failed.code, failed.err) == (1, "portico: Can't read stdin: it is closed.\n")


def test_does_not_ask_where_stdin_is_closed(portico: Portico, shell: Shell) -> None:
    erased = shell(f"portico users delete {an_owner(portico)} <&-")

    assert erased.code == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_escapes_what_the_encoding_lacks(portico: Portico, shell: Shell, encoding: str) -> None:
    owner = an_owner(portico)

    made = shell(f"portico items create 日本 --owner {owner}", PYTHONIOENCODING=encoding)
    listed = shell("portico items list", PYTHONIOENCODING=encoding)

    for shown in (made, listed):
        assert shown.code == 0, shown.err
        assert r"\u65e5\u672c" in shown.out

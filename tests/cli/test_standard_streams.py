"""Stdin and stdout that are closed, full or of a poor encoding: told on one line, or got along with."""

import pytest

from tests.cli.conftest import Portico, Shell, an_owner

pytestmark = [pytest.mark.process, pytest.mark.parametrize("storage", ["sqlite"], indirect=True)]

FULL = pytest.mark.linux  # which has a disk that is always full


@FULL
def test_says_what_it_has_made_where_stdout_is_full(portico: Portico, shell: Shell) -> None:
    failed = shell(f"portico items create Milk --owner {an_owner(portico)} > /dev/full")

    made, reason = failed.err.splitlines()
    assert (failed.code, reason) == (1, "portico: Can't write stdout: No space left on device.")
    assert made.startswith("Made the item ")


def test_says_that_stdout_is_closed(shell: Shell) -> None:
    failed = shell("portico settings >&-")

    assert (failed.code, failed.err) == (1, "portico: Can't write stdout: it is closed.\n")


def test_says_that_stdin_is_closed(shell: Shell) -> None:
    failed = shell("portico users create new@example.org --password-stdin <&-")

    assert (failed.code, failed.err) == (1, "portico: Can't read stdin: it is closed.\n")


def test_does_not_ask_where_stdin_is_closed(portico: Portico, shell: Shell) -> None:
    erased = shell(f"portico users delete {an_owner(portico)} <&-")

    assert erased.code == 0


def test_escapes_what_the_encoding_lacks(shell: Shell) -> None:
    shown = shell("portico settings", PORTICO_MAIL_FROM="日本 <a@example.org>", PYTHONIOENCODING="latin-1")

    assert shown.code == 0, shown.err
    assert r"\u65e5\u672c" in shown.out

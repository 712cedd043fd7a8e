"""`portico items import` and `export` of what takes long: how it goes on, also after it was interrupted."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from entrypoints.settings import Settings
from tests.cli.conftest import PATIENCE, PROGRAM, Portico, Start, an_owner
from tests.cli.item_files import a_file, import_file

pytestmark = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)

MANY = 3_000

ENDLESS_EXPORT = """
import asyncio
import signal
from entrypoints.cli import item_export, main

signal.signal(signal.SIGHUP, signal.SIG_IGN)

async def endless(items, row_format):
    yield b"half"
    await asyncio.Event().wait()

item_export.written_items = endless
main.main()
"""
"""It is told, as `nohup` does, to go on without its terminal."""


def stored(storage: Settings) -> int:
    with closing(sqlite3.connect(storage.database_url.removeprefix("sqlite:///"), timeout=5)) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM items")
    return int(count)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.process
@pytest.mark.parametrize("killed_by", [signal.SIGINT, signal.SIGKILL])
def test_goes_on_where_it_was_killed(
    portico: Portico, storage: Settings, folder: Path, start: Start, killed_by: signal.Signals
) -> None:
    owner = an_owner(portico)
    file = a_file(folder, *({"title": f"{number % (MANY - 10)}"} for number in range(MANY)))
    # Whoever runs the tests in the background has the signal ignored in all that they start.
    program = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{PROGRAM}"
    url = storage.database_url
    process = start("items", "import", "-", "--owner", owner, program=program, PORTICO_DATABASE_URL=url)
    assert process.stdin is not None

    # It is never given all, so that it can't have ended before it is killed.
    process.stdin.writelines((folder / file).read_bytes().splitlines(keepends=True)[: MANY - 500])
    process.stdin.flush()
    wait_until(lambda: stored(storage) > 0)
    process.send_signal(killed_by)
    code = process.wait(PATIENCE)
    before = stored(storage)
    again = import_file(portico, owner, file)

    if killed_by != signal.SIGKILL:
        assert code == 128 + killed_by
        assert process.stderr is not None
        told = process.stderr.read().decode().splitlines()
        assert re.fullmatch(r"Interrupted\. Created \d,000 items; .* the same command goes on\.", told[-1])
        assert not [line for line in told[:-1] if not line.startswith("Importing: ")]
    else:
        assert code == -killed_by
    assert 0 < before < MANY
    assert again.data == {"created": MANY - before, "known": before, "failed": 0}
    assert stored(storage) == MANY


@pytest.mark.process
def test_ends_only_when_told_to_and_leaves_nothing_of_an_export(
    portico: Portico, storage: Settings, folder: Path, start: Start
) -> None:
    owner = an_owner(portico)
    (folder / "all.ndjson").write_text("old")
    url = storage.database_url
    process = start("items", "export", "all.ndjson", "--owner", owner, program=ENDLESS_EXPORT, PORTICO_DATABASE_URL=url)

    wait_until(lambda: any(folder.glob(".all.ndjson.*")))
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    process.send_signal(signal.SIGTERM)
    code = process.wait(PATIENCE)

    assert process.stderr is not None
    assert (code, process.stderr.read().strip()) == (128 + signal.SIGTERM, b"")
    assert (folder / "all.ndjson").read_text() == "old"
    assert list(folder.glob(".*")) == []


def test_says_how_far_it_came_when_the_database_does_not_answer(
    portico: Portico, storage: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = an_owner(portico)
    lines = [json.dumps({"title": f"{number}"}).encode() + b"\n" for number in range(3_000)]
    os.mkfifo(folder / "pipe")
    monkeypatch.setattr("adapters.sql.engines._PRAGMAS", ("journal_mode=WAL", "busy_timeout=10"))
    lock = sqlite3.connect(storage.database_url.removeprefix("sqlite:///"), timeout=5, check_same_thread=False)

    def write() -> None:
        with (folder / "pipe").open("wb") as pipe:
            pipe.writelines(lines[:1_500])
            pipe.flush()
            wait_until(lambda: stored(storage) == 1_000)
            lock.execute("BEGIN IMMEDIATE")
            pipe.writelines(lines[1_500:])

    writer = threading.Thread(target=write)
    writer.start()
    failed = import_file(portico, owner, "pipe", "--format", "ndjson")
    writer.join()
    lock.close()

    assert (failed.code, failed.out) == (1, "")
    assert failed.err == (
        "portico: Something Portico depends on does not answer. Try again in a moment. Created 1,000 items; 0 were "
        "there already; 0 rows refused. What was stored stays; the same command goes on. (database is locked)\n"
    )
    again = import_file(portico, owner, "-", stdin=b"".join(lines))
    assert again.data == {"created": 2_000, "known": 1_000, "failed": 0}


# --- progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Provide a terminal where stderr is, and what it was sent."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    screen, stderr = pty.openpty()
    sent: list[bytes] = []

    def read() -> None:
        # Linux says that the other end is closed by an error.
        with suppress(OSError):
            while part := os.read(screen, 1 << 16):
                sent.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    stream = os.fdopen(stderr, "w")

    def close() -> str:
        stream.close()
        reader.join()
        return b"".join(sent).decode()

    monkeypatch.setattr(sys, "stderr", stream)
    yield close
    close()
    os.close(screen)


def test_shows_a_bar_on_a_terminal(
    portico: Portico, folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = an_owner(portico)
    file = a_file(folder, *({"title": f"{number}", "description": "x" * 1_000} for number in range(1_500)))
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = request.getfixturevalue("terminal")

    imported = import_file(portico, owner, file)

    shown = terminal()
    assert imported.data["created"] == 1_500
    assert "\x1b[" in shown
    seen = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown)
    assert re.search(r"Importing ━+ 1,500 rows, [1-9][\d,]* rows/s 100% 0:00:00 left", seen)
    assert "Created 1,500 items" in shown


def test_tells_refused_rows_above_the_bar(portico: Portico, request: pytest.FixtureRequest) -> None:
    owner = an_owner(portico)
    terminal = request.getfixturevalue("terminal")

    import_file(portico, owner, "-", stdin=b'{"title": 7}\n{"title": "Milk"}\n')

    shown = terminal()
    assert re.search(r'^[^"]*\{"line":1,"errors":.*"row":".*"\}\r$', shown, re.MULTILINE)
    assert re.search(r"Importing .*2 rows, [\d,]+ rows/s .*0:00:0\d", shown)


@pytest.mark.parametrize("term", [None, "dumb"])
def test_shows_plain_lines_elsewhere(
    portico: Portico, folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, term: str | None
) -> None:
    owner = an_owner(portico)
    file = a_file(folder, *({"title": f"{number}"} for number in range(2_500)))
    monkeypatch.setattr("entrypoints.cli.progress.EVERY", 0)
    terminal = None
    if term is not None:
        terminal = request.getfixturevalue("terminal")
        monkeypatch.setenv("TERM", term)

    err = import_file(portico, owner, file).err
    shown = err if terminal is None else terminal().replace("\r\n", "\n")

    assert "\x1b" not in shown
    *told, tally = shown.splitlines()
    assert tally == "Created 2,500 items; 0 were there already; 0 rows refused."
    assert [re.sub(r"[\d,]+ rows/s", "n rows/s", line) for line in told][-1] == (
        "Importing: 2,500 rows, n rows/s, 100%, 0:00:00 left"
    )
    assert re.fullmatch(r"Importing: 1,000 rows, [1-9][\d,]* rows/s, \d+%, 0:00:\d\d left", told[0])


def test_shows_how_an_export_goes_on(portico: Portico, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = an_owner(portico)
    import_file(portico, owner, a_file(folder, *({"title": f"{number}"} for number in range(1_500))))
    monkeypatch.setattr("entrypoints.cli.progress.EVERY", 0)

    err = portico("items", "export", "all.ndjson", "--owner", owner).err

    assert re.fullmatch(
        r"Exporting: 1,000 rows, [\d,]+ rows/s\nExporting: 1,500 rows, [\d,]+ rows/s\nExported 1,500 items\.\n", err
    )

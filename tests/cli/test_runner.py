"""What commands run on."""

import asyncio
import signal
import subprocess
import sys
import threading
import time

import aiosqlite
import pytest

from entrypoints.cli.runner import injected, injected_as_is, run_until_ended, serving_loop_factory
from entrypoints.cli.signals import Ended, ended_by_signals
from tests.cli.conftest import PATIENCE, Portico, Start, environ_of


@pytest.mark.sqlite
@pytest.mark.linux  # where uvloop is
def test_runs_on_the_loop_that_serves(command: Portico) -> None:
    """A lost connection is an error that is understood there, and a bug of asyncpg's on asyncio's own."""
    kinds: list[str] = []

    async def look() -> None:
        kinds.append(type(asyncio.get_running_loop()).__module__)

    assert command("database", "upgrade").code == 0
    injected(look)()
    injected_as_is(look)()

    assert kinds == ["uvloop", "uvloop"]


def test_a_signal_cancels_what_runs() -> None:
    """It is not raised there: what is loaded meanwhile, as Alembic is, might swallow it."""
    cancelled: list[bool] = []

    async def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with ended_by_signals(), pytest.raises(Ended):
        run_until_ended(work())

    assert cancelled == [True]


@pytest.mark.sqlite
def test_waits_for_threads_of_sqlite_that_have_something_to_tell() -> None:
    told: list[str] = []

    async def work() -> None:
        connection = aiosqlite.connect(":memory:")
        await connection
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, connection.stop)
        loop.call_later(0.04, told.append, "it")

    run_until_ended(work())

    assert told == ["it"]


def test_waits_for_no_other_thread() -> None:
    end = threading.Event()
    threads = [threading.Thread(target=end.wait, daemon=daemon) for daemon in (True, False)]

    async def work() -> None:
        for thread in threads:
            thread.start()
        await asyncio.to_thread(lambda: None)

    began = time.monotonic()
    run_until_ended(work(), loop_factory=serving_loop_factory())
    assert time.monotonic() - began < PATIENCE / 10
    end.set()
    for thread in threads:
        thread.join()


@pytest.mark.process
def test_a_second_signal_at_once_is_none_too_many(start: Start) -> None:
    """As systemd sends them, both before the command is ready for the first."""
    told_twice = (
        "import os, signal; from entrypoints.cli import loading, main\n"
        "loading.gc.freeze = lambda: [os.kill(os.getpid(), each) for each in (signal.SIGHUP, signal.SIGTERM)]\n"
        "main.main()"
    )
    process = start("users", "list", program=told_twice)

    code = process.wait(PATIENCE)

    assert process.stderr is not None
    assert code in {128 + signal.SIGHUP, 128 + signal.SIGTERM, -signal.SIGTERM}
    assert process.stderr.read().strip() == b""


@pytest.mark.sqlite
def test_runs_where_there_is_no_other_loop(command: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert command("database", "upgrade").code == 0


@pytest.mark.process
def test_loads_no_loop_to_show_the_help() -> None:
    program = (
        "import sys; from entrypoints.cli.main import run; run(['--help']); assert 'asyncio' not in sys.modules; "
        "run(['items', 'import', '--help']); assert not {'uvloop', 'sqlalchemy'} & set(sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], env=environ_of(), capture_output=True, check=False)  # noqa: S603

    assert done.returncode == 0, done.stderr

"""Work in a process of its own: what becomes of it is told as if it were done here."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.conftest import PATIENCE, environ_of

pytestmark = [pytest.mark.process, pytest.mark.linux]

PROGRAM = """
import os
import signal
import sys
import time
from domain.errors import Unavailable
from entrypoints.cli.apart import do_apart
from entrypoints.cli.signals import Ended, ended_by_signals

def work():
{work}

try:
    with ended_by_signals():
        do_apart(work)
except Unavailable as error:
    print(f"refused: {{error}}, because {{error.__cause__}}")
except KeyboardInterrupt as error:
    print(f"ended: {{type(error).__name__}}")
else:
    print("done", "secrets" in sys.modules)
"""


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Provide a list of processes, which end with the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def start(started: list[subprocess.Popen[str]], work: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM.format(work="\n".join(f"    {line}" for line in work.splitlines()))],
        env=environ_of(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    started.append(process)
    return process


def fork_of(process: subprocess.Popen[str]) -> int | None:
    """Return the process in which the work is done."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if children else None


def wait_for_fork(process: subprocess.Popen[str]) -> int:
    deadline = time.monotonic() + PATIENCE
    while (fork := fork_of(process)) is None:
        assert time.monotonic() < deadline
    return fork


@pytest.mark.parametrize(
    ("work", "code", "out", "err"),
    [
        ("import secrets", 0, "done False", ""),
        ("raise Unavailable('gone') from OSError('no host')", 0, "refused: gone, because no host", ""),
        ("raise Unavailable('gone')", 0, "refused: gone, because None", ""),
        ("raise RuntimeError('a bug')", 1, "", "RuntimeError: a bug"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 1, "", "did not come to its end"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 1, "", "did not come to its end"),
    ],
    ids=["done", "refused", "refused without a cause", "failed", "killed", "ended"],
)
def test_tells_what_became_of_it(
    started: list[subprocess.Popen[str]], work: str, code: int, out: str, err: str
) -> None:
    process = start(started, work)

    printed, complained = process.communicate(timeout=PATIENCE)

    assert (process.returncode, printed.strip()) == (code, out)
    assert err in complained
    assert bool(complained) is bool(err)


@pytest.mark.parametrize("milliseconds", [0, 0.5, 1, 2, 4, 8])
@pytest.mark.parametrize("is_for_all", [False, True], ids=["for it alone", "for both"])
def test_a_signal_ends_both_whenever_it_comes(
    started: list[subprocess.Popen[str]], milliseconds: float, *, is_for_all: bool
) -> None:
    process = start(started, "time.sleep(60)")
    fork = wait_for_fork(process)
    time.sleep(milliseconds / 1000)

    for each in (process.pid, fork) if is_for_all else (process.pid,):
        # Told by the first, the fork may have gone.
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGTERM)

    assert process.communicate(timeout=PATIENCE) == ("ended: Ended\n", "")
    assert not Path(f"/proc/{fork}").exists()


def test_ends_with_the_process_that_it_is_done_for(started: list[subprocess.Popen[str]]) -> None:
    process = start(started, "print('at work', flush=True)\ntime.sleep(60)")
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    fork = wait_for_fork(process)

    process.kill()
    process.wait()

    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{fork}").exists() and "zombie" not in Path(f"/proc/{fork}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)

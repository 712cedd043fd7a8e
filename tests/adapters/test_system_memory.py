"""Memory that is needed for a while, as by hashes of passwords."""

import asyncio
import mmap
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.system_memory import LOOK_EVERY, MUCH, SpareMemory, _pages_taken

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio
from threading import Event, Thread
from argon2 import PasswordHasher
from adapters import system_memory
from adapters.system_memory import SpareMemory
from entrypoints.container import make_container
from entrypoints.settings import load_settings

kept = Event()
system_memory.LOOK_EVERY = 0.05

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

def hash_some(done):
    for _ in range(3):
        PasswordHasher(time_cost=1, memory_cost=19456, parallelism=1).hash("secret")
    done.set()
    kept.wait()

async def main():
    keeping = asyncio.create_task(SpareMemory().run())
    await asyncio.sleep(0)
    before = resident()
    threads = []
    for _ in range(2):
        done = Event()
        threads.append(Thread(target=hash_some, args=[done]))
        threads[-1].start()
        done.wait()
    taken = left = resident() - before
    for _ in range(200):
        if left < 10_000:
            break
        await asyncio.sleep(0.05)
        left = resident() - before
    print(taken, left)
    kept.set()
    for thread in threads:
        thread.join()

make_container(load_settings({"PORTICO_DATABASE_URL": "memory:"}))
asyncio.run(main())
"""


@pytest.mark.process
@pytest.mark.linux
def test_what_hashes_in_many_threads_took_is_given_back_while_these_live() -> None:
    done = subprocess.run(  # noqa: S603 - the program is above
        [sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, capture_output=True, text=True
    )

    taken, left = map(int, done.stdout.split())
    assert taken > 15_000  # KiB: a hash has 19,456
    assert left < 10_000


@pytest.mark.parametrize(
    ("looks", "times"),
    [
        pytest.param([0, 0, 0], 2, id="nothing is taken"),
        pytest.param([0, MUCH - 1, 2 * (MUCH - 1)], 2, id="little is taken"),
        pytest.param([0, MUCH, 2 * MUCH], 0, id="much is taken all the time"),
        pytest.param([0, MUCH, MUCH, 2 * MUCH, 2 * MUCH], 2, id="much was taken, again and again"),
    ],
)
async def test_gives_back_while_no_more_is_taken(looks: list[int], times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[int] = []

    def pages() -> Iterator[int]:
        yield from looks
        raise asyncio.CancelledError

    taken = pages()
    monkeypatch.setattr("adapters.system_memory._CAN_GIVE_BACK", True)
    monkeypatch.setattr("adapters.system_memory.LOOK_EVERY", 0)
    monkeypatch.setattr("adapters.system_memory._pages_taken", lambda: next(taken))
    monkeypatch.setattr("adapters.system_memory._give_back_memory", lambda: given_back.append(threading.get_ident()))

    with pytest.raises(asyncio.CancelledError):
        await SpareMemory().run()

    assert len(given_back) == times
    # The event loop goes on meanwhile.
    assert threading.get_ident() not in given_back


def test_knows_how_many_pages_were_taken() -> None:
    before = _pages_taken()

    taken = mmap.mmap(-1, 2 * MUCH * mmap.PAGESIZE)
    for at in range(0, len(taken), mmap.PAGESIZE):
        taken[at] = 1

    assert MUCH < _pages_taken() - before < 4 * MUCH
    taken.close()


async def test_returns_where_nothing_can_be_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.system_memory._CAN_GIVE_BACK", False)

    async with asyncio.timeout(LOOK_EVERY):
        await SpareMemory().run()

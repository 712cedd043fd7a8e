"""Memory that hashes of passwords have taken."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
from threading import Barrier, Thread
from argon2 import PasswordHasher
from adapters.system_memory import give_back_memory, share_one_arena

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

def run(work, *arguments):
    threads = [Thread(target=work, args=arguments) for _ in range(2)]
    for thread in threads:
        thread.start()
    return threads

def hash_some(together, kept):
    for _ in range(3):
        PasswordHasher(time_cost=1, memory_cost=19456, parallelism=1).hash("secret")
    together.wait()
    kept.wait()

share_one_arena()
before = resident()
together, kept = Barrier(3), Barrier(3)
threads = run(hash_some, together, kept)
together.wait()
give_back_memory()
print(resident() - before)
kept.wait()
for thread in threads:
    thread.join()
"""


@pytest.mark.process
@pytest.mark.linux
def test_what_hashes_in_many_threads_took_is_given_back_while_these_live() -> None:
    done = subprocess.run(  # noqa: S603 - the program is above
        [sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert int(done.stdout) < 10_000  # KiB: half of one hash's

"""Memory that the C library keeps for later (glibc: mallopt(3), malloc_trim(3)); those of other systems keep theirs."""

import asyncio
import ctypes
import resource

LOOK_EVERY = 2.0
"""Seconds between looks at what was taken."""

MUCH = 256
"""Pages that are taken between two looks by what is going on: 1 MiB, mostly."""

_ARENA_MAX = -8
_libc = ctypes.CDLL(None)
_CAN_GIVE_BACK = hasattr(_libc, "malloc_trim")


def share_one_arena() -> None:
    """Have threads that start from now on take memory from where all do: only from there it can be given back."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_ARENA_MAX, 1)


def _give_back_memory() -> None:
    """Give the system back what nobody uses. Takes some milliseconds at most, without the interpreter's lock."""
    _libc.malloc_trim(0)


class SpareMemory:
    """Gives back, every few seconds, what was needed for a while, as for a hash or an export.

    Not while much is taken, perhaps because it was given back: what a hash needs costs half a hash to have again.
    """

    async def run(self) -> None:
        """Do so until cancelled; return at once where that can't be done."""
        if not _CAN_GIVE_BACK:
            return
        before = _pages_taken()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = _pages_taken()
            if now - before < MUCH:
                await asyncio.to_thread(_give_back_memory)
            before = now


def _pages_taken() -> int:
    """Return how many pages the process was given so far, each again if it had been given back."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

"""Memory that the C library keeps for later (glibc: mallopt(3), malloc_trim(3)); those of other systems keep theirs."""

import ctypes

_ARENA_MAX = -8
_libc = ctypes.CDLL(None)


def share_one_arena() -> None:
    """Have threads that start from now on take memory from where all do: only from there it can be given back."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Give the system back what nobody uses. Takes some milliseconds, without the interpreter's lock."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)

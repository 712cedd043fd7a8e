"""SIGTERM and SIGHUP, which end a command as Ctrl-C does: drafts of files are removed, and it says how far it came."""

import ctypes
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDS = (signal.SIGTERM, signal.SIGHUP)
STOPS = (signal.SIGTERM, signal.SIGINT)
"""What a server obeys. SIGHUP has its workers replaced."""


_PR_SET_PDEATHSIG = 1


class Ended(KeyboardInterrupt):
    """A signal has ended the command."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise Ended wherever a signal comes, other than one that the process was told to ignore, as by `nohup`."""
    before = {number: signal.getsignal(number) for number in ENDS}
    heard = [number for number in ENDS if before[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def end(number: int, _frame: FrameType | None) -> None:
    """Handle a signal: raise Ended."""
    raise Ended(number)


def end_with_parent() -> None:
    """Have this process told to end when its parent does, however that ends (Linux: prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def signals_held(*numbers: int) -> Iterator[None]:
    """Have these signals wait until the end of the block."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # Handlers of what came before run in this call, and may raise.
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)

"""SIGTERM and SIGHUP, which end a command as Ctrl-C does: drafts of files are removed, and it says how far it came."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_ENDS = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """A signal has ended the command."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise Ended wherever a signal comes, other than one that the process was told to ignore, as by `nohup`."""
    before = {number: signal.getsignal(number) for number in _ENDS}
    heard = [number for number in _ENDS if before[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _end(number: int, _frame: FrameType | None) -> None:
    raise Ended(number)


def run_until_ended(
    command: Coroutine[Any, Any, None], *, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None
) -> None:
    """Run the command to its end, or cancel it where a signal comes; a second one is not waited for. Raises Ended."""
    came: list[int] = []

    async def cancelled_by_signals() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def cancel(number: int, frame: FrameType | None) -> None:
            if came:
                _end(number, frame)
            came.append(number)
            task.cancel()
            # The loop may be waiting, and does not look at its tasks again unless it is woken.
            loop.call_soon_threadsafe(lambda: None)

        heard = [number for number in _ENDS if signal.getsignal(number) is _end]
        for number in heard:
            signal.signal(number, cancel)
        try:
            await command
        finally:
            for number in heard:
                signal.signal(number, _end)

    try:
        asyncio.run(cancelled_by_signals(), loop_factory=loop_factory)
    except asyncio.CancelledError:
        if not came:
            raise
        raise Ended(came[0]) from None

"""Work in a process of its own, which takes with it what it has loaded."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection

from domain.errors import DomainError
from entrypoints.cli.messages import one_line
from entrypoints.cli.signals import ENDS, end_with_parent, signals_held

_FORK = multiprocessing.get_context("fork")
_SIGNALS = (signal.SIGINT, *ENDS)
_A_MOMENT = 0.1
"""Seconds."""


def do_apart(work: Callable[[], None]) -> None:
    """Do this in a fork of the process, which has to be its only thread. A signal ends it at once, wherever it is.

    Raises DomainError as the work does, if its only argument is what it says, and SystemExit if the fork is killed or
    fails otherwise, which it has told on stderr then.
    """
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_do, args=(work, theirs))
    try:
        # Python ignores what is raised amid a fork, and who has not heard of the fork can't end it.
        with signals_held(*_SIGNALS):
            process.start()
        theirs.close()
        while not ours.poll(_A_MOMENT):
            # Python hears a signal that came just before it waits when it has waited.
            pass
        refusal: tuple[DomainError, str | None] | None = ours.recv()
    except EOFError:
        raise SystemExit("portico: What has to be done first did not come to its end.") from None
    except KeyboardInterrupt:
        # The signal may have come for this process alone.
        if process.pid is not None:
            process.terminate()
        raise
    finally:
        if process.pid is not None:
            process.join()
        ours.close()
    if refusal is not None:
        error, reason = refusal
        raise error from None if reason is None else Exception(reason)


def _do(work: Callable[[], None], theirs: Connection) -> None:
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Ended by the system: what handlers raise, Python ignores or prints in many a moment.
            signal.signal(number, signal.SIG_DFL)
    end_with_parent()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        work()
    except DomainError as error:
        # What caused it may not be what can be sent, and nobody needs more of it than what it says.
        theirs.send((error, None if error.__cause__ is None else one_line(error.__cause__)))
    else:
        theirs.send(None)

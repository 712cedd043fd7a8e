"""Loading most of Portico, which takes most of a second, and nearly all of the time of many a command."""

import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from entrypoints.cli.signals import ENDS, signals_held


@contextmanager
def loading(module: str, *, without: tuple[str, ...] = ("advanced_alchemy", "rich")) -> Iterator[None]:
    """Load the module meanwhile, and what it needs, for a tenth less. It does nothing if the module is loaded already.

    Nothing that is loaded is garbage: nobody looks for some among it, neither meanwhile nor ever after. Libraries that
    load others where they are installed do without these: structlog without rich, which is for tracebacks in frames,
    Litestar without advanced-alchemy, of which it would know one kind of page.

    Signals wait until it is done. Imports run callbacks in which Python ignores whatever is raised: one time in fifty
    the command would go on as if it had not been told to end.
    """
    if module in sys.modules:
        yield
        return
    absent = [name for name in without if name not in sys.modules]
    with signals_held(signal.SIGINT, *ENDS):
        gc.disable()
        for name in absent:
            sys.modules[name] = None  # type: ignore[assignment]  # how Python says that there is none
        try:
            yield
        finally:
            for name in absent:
                del sys.modules[name]
            gc.freeze()
            gc.enable()

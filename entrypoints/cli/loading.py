"""Loading most of Portico, which takes most of a second, and nearly all of the time of many a command."""

import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from entrypoints.cli.signals import ENDS, signals_held


@contextmanager
def loading(module: str) -> Iterator[None]:
    """Load the module meanwhile, and what it needs, for a sixth less. It does nothing if the module is loaded already.

    Nothing that is loaded is garbage: nobody looks for some among it, neither meanwhile nor ever after. And structlog
    goes without rich, which it would load to show tracebacks in frames.

    Signals wait until it is done. Imports run callbacks in which Python ignores whatever is raised: one time in fifty
    the command would go on as if it had not been told to end.
    """
    if module in sys.modules:
        yield
        return
    without_rich = "rich" not in sys.modules
    if without_rich:
        sys.modules["rich"] = None  # type: ignore[assignment]  # how Python says that there is none
    with signals_held(signal.SIGINT, *ENDS):
        gc.disable()
        try:
            yield
        finally:
            gc.freeze()
            gc.enable()
            if without_rich:
                del sys.modules["rich"]

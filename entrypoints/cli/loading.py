"""Loading most of Portico, which takes most of a second, and nearly all of the time of many a command."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading(module: str) -> Iterator[None]:
    """Load the module meanwhile, and what it needs, for a sixth less. It does nothing if the module is loaded already.

    Nothing that is loaded is garbage: nobody looks for some among it, neither meanwhile nor ever after. And structlog
    goes without rich, which it would load to show tracebacks in frames.
    """
    if module in sys.modules:
        yield
        return
    without_rich = "rich" not in sys.modules
    if without_rich:
        sys.modules["rich"] = None  # type: ignore[assignment]  # how Python says that there is none
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        if without_rich:
            del sys.modules["rich"]

"""Loading most of Portico, which takes most of a second, and nearly all of the time of many a command."""

import gc
import importlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from entrypoints.cli.signals import ENDS, signals_held

WITHOUT = ("advanced_alchemy", "attr", "rich")
"""What libraries load where it is installed, and Portico has no use for.

Structlog would draw tracebacks in rich's frames, Litestar would know attrs' classes, and advanced-alchemy's pages.
"""

LATER = ("configparser", "pdb", "yaml")
"""What libraries load for something that next to nobody asks for: 1.7 MB of each process.

For asyncpg it is a file of services, for Litestar a debugger and the API's document in another form.
"""


class Later(ModuleType):
    """Stands for a module until something in it is asked for, and loads it then.

    The standard library's LazyLoader does so as soon as the module is imported a second time.
    """

    def __getattr__(self, name: str) -> Any:
        # Importing looks for `__path__`; what looks at all modules, such as `inspect`, has no use for this one.
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def loading(module: str) -> Iterator[None]:
    """Load the module meanwhile, and what it needs, for a tenth less. It does nothing if the module is loaded already.

    Nothing that is loaded is garbage: nobody looks for some among it, neither meanwhile nor ever after. What libraries
    can do without is not loaded (`WITHOUT`), or not yet (`LATER`).

    Signals wait until it is done. Imports run callbacks in which Python ignores whatever is raised: one time in fifty
    the command would go on as if it had not been told to end.
    """
    if module in sys.modules:
        yield
        return
    with signals_held(signal.SIGINT, *ENDS), lacking():
        gc.disable()
        for name in LATER:
            sys.modules.setdefault(name, Later(name))
        try:
            yield
        finally:
            gc.freeze()
            gc.enable()


@contextmanager
def lacking() -> Iterator[None]:
    """Have libraries find nothing of `WITHOUT` meanwhile, unless it is loaded already."""
    absent = [name for name in WITHOUT if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # how Python says that there is none
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]

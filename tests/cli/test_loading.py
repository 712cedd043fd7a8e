"""What commands load late: with signals that wait for it, and without what nobody needs."""

import gc
import importlib
import signal
import sys
from collections.abc import Iterable

import pytest

from entrypoints.cli.loading import WITHOUT, Later, loading
from entrypoints.cli.signals import Ended, ended_by_signals, signals_held
from tests.cli.conftest import PATIENCE, Start

NOT_LOADED = "portico.nothing"

TOLD_AMID_AN_IMPORT = """
import signal
import sys
from entrypoints.cli.main import main

class Told:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

class Finder:
    @staticmethod
    def find_spec(name, *_):
        if name == {name!r}:
            Told()

sys.meta_path.insert(0, Finder)
main()
"""
"""It is told to end where Python ignores what is raised, as in the callbacks that imports run."""


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGTERM, Ended), (signal.SIGHUP, Ended), (signal.SIGINT, KeyboardInterrupt)]
)
def test_a_signal_waits_until_all_is_loaded(number: signal.Signals, raised: type[BaseException]) -> None:
    done: list[str] = []

    def load() -> None:
        with loading(NOT_LOADED):
            signal.raise_signal(number)
            done.append("all")
        done.append("more")

    # Whoever runs the tests in the background has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with ended_by_signals(), pytest.raises(raised):
        load()
    signal.signal(signal.SIGINT, before)

    assert done == ["all"]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_none_stays_held_where_a_handler_raises_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python runs the handlers of what came before in the call that holds signals, when it has held them."""
    set_mask = signal.pthread_sigmask

    def tell(how: int, numbers: Iterable[int]) -> object:
        before = set_mask(how, numbers)
        if how == signal.SIG_BLOCK and numbers:
            raise Ended(signal.SIGTERM)
        return before

    monkeypatch.setattr(signal, "pthread_sigmask", tell)
    with pytest.raises(Ended), signals_held(signal.SIGHUP):
        pass

    assert not set_mask(signal.SIG_BLOCK, ())


def test_looks_for_no_garbage_meanwhile() -> None:
    def fail() -> None:
        with loading(NOT_LOADED):
            assert not gc.isenabled()
            raise ImportError

    assert gc.isenabled()
    with pytest.raises(ImportError):
        fail()
    assert gc.isenabled()


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "name"),
    [(("users", "list"), "entrypoints.cli.accounts"), (("serve",), "argon2")],
)
def test_ends_when_told_to_amid_an_import(start: Start, command: tuple[str, ...], name: str) -> None:
    process = start(*command, program=TOLD_AMID_AN_IMPORT.format(name=name))

    code = process.wait(PATIENCE)

    assert process.stderr is not None
    assert (code, process.stderr.read().strip()) == (128 + signal.SIGTERM, b"")


@pytest.mark.parametrize("name", WITHOUT)
def test_nobody_finds_what_is_not_wanted_until_all_is_loaded(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delitem(sys.modules, name, raising=False)

    with loading(NOT_LOADED), pytest.raises(ImportError):
        importlib.import_module(name)

    assert name not in sys.modules


def test_what_was_there_before_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", sys)

    with loading(NOT_LOADED):
        assert sys.modules["rich"] is sys

    assert sys.modules["rich"] is sys


def test_does_nothing_where_all_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rich", raising=False)

    with loading("sys"):
        assert "rich" not in sys.modules
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.process
def test_a_command_loads_no_more_than_it_needs(start: Start) -> None:
    program = (
        "import sys; from entrypoints.cli.main import run; code = run(['users', 'list', '--json']); "
        "assert {'sqlalchemy', 'structlog'} < set(sys.modules); assert not {'litestar', 'rich'} & set(sys.modules)"
    )

    process = start(program=program)

    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(("name", "part"), [("configparser", "ConfigParser"), ("pdb", "Pdb"), ("yaml", "dump")])
def test_some_is_loaded_when_it_is_asked_for_something(monkeypatch: pytest.MonkeyPatch, name: str, part: str) -> None:
    monkeypatch.delitem(sys.modules, name, raising=False)

    with loading(NOT_LOADED):
        module = importlib.import_module(name)

    assert isinstance(module, Later)
    # As `inspect` does with each module.
    assert not hasattr(module, "__file__")
    assert sys.modules[name] is module

    assert callable(getattr(module, part))
    assert not isinstance(importlib.import_module(name), Later)


def test_a_module_in_a_package_that_is_loaded_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wsgiref", Later("wsgiref"))
    monkeypatch.delitem(sys.modules, "wsgiref.util", raising=False)

    assert importlib.import_module("wsgiref.util").FileWrapper

"""Each port is kept, whole and word for word, by an adapter that names it."""

import dataclasses
import importlib
import inspect
from typing import Any

import pytest

from tests.architecture.source import MODULES


def classes_in(*layers: str) -> list[type[Any]]:
    return [
        value
        for module in MODULES
        if module.layer in layers
        for value in vars(importlib.import_module(module.name)).values()
        if inspect.isclass(value) and value.__module__ == module.name
    ]


def is_port(each: type[Any]) -> bool:
    return bool(getattr(each, "_is_protocol", False))


def methods_of(port: type[Any]) -> list[str]:
    """Return the names of the methods of a port, inherited ones too."""
    return sorted(
        {
            name
            for each in port.__mro__
            if is_port(each) and each.__module__ != "typing"
            for name, value in vars(each).items()
            if inspect.isfunction(value) and (not name.startswith("_") or name == "__call__")
        }
    )


PORTS = [each for each in classes_in("application") if is_port(each)]
KEEPERS = [
    (keeper, port)
    for keeper in classes_in("application", "adapters")
    for port in PORTS
    if port in keeper.__mro__ and not is_port(keeper)
]
USE_CASES = [each for each in classes_in("application") if dataclasses.is_dataclass(each) and "__call__" in vars(each)]


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_a_port_promises_something(port: type[Any]) -> None:
    assert methods_of(port) != []


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_somebody_keeps_each_port(port: type[Any]) -> None:
    assert [keeper for keeper, kept in KEEPERS if kept is port] != []


@pytest.mark.parametrize(
    ("keeper", "port"), KEEPERS, ids=[f"{keeper.__name__} keeps {port.__name__}" for keeper, port in KEEPERS]
)
def test_overrides_each_method_with_the_same_signature(keeper: type[Any], port: type[Any]) -> None:
    for name in methods_of(port):
        kept = next(vars(each)[name] for each in keeper.__mro__ if name in vars(each))
        promised = getattr(port, name)

        assert kept is not promised, f"{keeper.__name__} does not override {name}"
        assert inspect.signature(kept) == inspect.signature(promised), name
        assert inspect.iscoroutinefunction(kept) == inspect.iscoroutinefunction(promised), name


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_a_port_says_what_it_promises(port: type[Any]) -> None:
    for name in methods_of(port):
        if name in vars(port):
            assert (inspect.getdoc(getattr(port, name)) or "").endswith("."), name


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_whoever_stores_in_sql_stores_in_memory_too(port: type[Any]) -> None:
    packages = {keeper.__module__.split(".")[1] for keeper, kept in KEEPERS if kept is port}

    # What has no meaning without a database has no memory adapter.
    if port.__name__ != "Schema":
        assert ("sql" in packages) == ("memory" in packages)


@pytest.mark.parametrize("use_case", USE_CASES, ids=lambda use_case: use_case.__name__)
def test_a_use_case_is_frozen_slotted_and_says_what_it_raises(use_case: type[Any]) -> None:
    assert use_case.__dataclass_params__.frozen
    assert "__slots__" in vars(use_case)
    assert inspect.iscoroutinefunction(use_case.__call__)
    assert inspect.getdoc(use_case.__call__)

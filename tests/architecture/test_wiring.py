"""The one container can make everything there is to ask for."""

import ast
from itertools import takewhile
from typing import Any

import pytest
from dishka import AsyncContainer

from tests.architecture.source import MODULES
from tests.architecture.test_ports import PORTS, USE_CASES

# What only commands on a database use is made by those.
PROVIDED = [port for port in PORTS if port.__name__ != "Schema"]


@pytest.mark.parametrize("storage", ["memory", "sqlite"], indirect=True)
async def test_every_use_case_is_provided(container: AsyncContainer) -> None:
    async with container() as scope:
        for use_case in USE_CASES:
            made: Any = await scope.get(use_case)
            assert type(made) is use_case


@pytest.mark.parametrize("storage", ["memory", "sqlite"], indirect=True)
async def test_every_port_is_provided_by_who_keeps_it(container: AsyncContainer) -> None:
    async with container() as scope:
        for port in PROVIDED:
            assert port in type(await scope.get(port)).__mro__


def test_no_factory_waits_before_it_has_made_something() -> None:
    """The container has no locks: whoever asked meanwhile would have a second one made."""
    factories = [
        (module, node)
        for module in MODULES
        if module.is_in("entrypoints.providers")
        for node in module.nodes
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    assert factories
    for module, factory in factories:
        before = list(takewhile(lambda statement: not _has(ast.Yield, statement), factory.body))
        assert len(before) < len(factory.body), (module, factory.name)
        assert not [statement for statement in before if _has(ast.Await, statement)], (module, factory.name)


def _has(kind: type[ast.expr], statement: ast.stmt) -> bool:
    return any(isinstance(node, kind) for node in ast.walk(statement))

"""The one container can make everything there is to ask for."""

from typing import Any

import pytest
from dishka import AsyncContainer

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

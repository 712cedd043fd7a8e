"""The application in memory; tests of what only a database can get wrong name their storages."""

from collections.abc import AsyncIterator

import pytest

from entrypoints.settings import Settings
from tests.api import Api, Person, serve
from tests.clock import FixedClock
from tests.containers import Override, Overrides, settings_for


@pytest.fixture
def settings() -> Settings:
    """Provide the settings of an installation in memory."""
    return settings_for("memory:")


@pytest.fixture
async def api(settings: Settings, clock: FixedClock) -> AsyncIterator[Api]:
    """Provide the API in memory."""
    async with serve(settings, Overrides(clock)) as api:
        yield api


@pytest.fixture
async def ann(api: Api) -> Person:
    """Provide somebody signed in."""
    return await api.a_person()


@pytest.fixture
async def stored_api(storage: Settings, overrides: tuple[Override, ...]) -> AsyncIterator[Api]:
    """Provide the API on each storage."""
    async with serve(storage, *overrides) as api:
        yield api

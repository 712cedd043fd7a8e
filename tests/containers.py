"""Containers of installations under test: what `make_container` makes, for a fraction of its cost."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import argon2
from dishka import AsyncContainer, Provider, make_async_container

from adapters.security.argon2 import Argon2PasswordHasher
from application.auth.ports import PasswordHasher
from application.ports import Clock
from entrypoints.container import make_container, providers_for
from entrypoints.http.app import http_providers
from entrypoints.lifetimes import Lifetime
from entrypoints.settings import Settings, load_settings
from tests.builders import PASSWORD, SECRET_KEY

_FAST_HASHER = Argon2PasswordHasher(threads=1, memory_kib=8, time_cost=1)

PASSWORD_HASH = argon2.PasswordHasher(memory_cost=8, time_cost=1, parallelism=1).hash(PASSWORD)
"""What it makes of the password of tests."""


NOWHERE = Path("/nowhere")
"""A folder without a `.env`: the settings of a test that need no more of a folder are spared making one."""


@cache
def settings_for(database_url: str, folder: Path = NOWHERE, **variables: str) -> Settings:
    """Return settings that are the default but for these variables, without their prefix."""
    environ = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY} | variables
    return load_settings({f"PORTICO_{name}": value for name, value in environ.items()}, folder=folder)


class Given:
    """Values that a container has in place of what it would make."""

    def __init__(self, values: Mapping[Any, object]) -> None:
        self.values = values

    def provider(self) -> Provider:
        """Return who provides them. A shared container needs none, and making one costs more than a request."""
        provider = Provider(scope=Lifetime.APP)
        for kind, value in self.values.items():
            provider.provide(_source_of(value), provides=kind)
        return provider


type Override = Given | Provider
"""What a test puts in place of the real thing; of several for one kind, the last."""


def _source_of(value: object) -> Callable[[], object]:
    return lambda: value


class Overrides(Given):
    """What the tests' containers have in place of the real thing: a clock to move, and hashes that cost nothing."""

    def __init__(self, clock: Clock) -> None:
        super().__init__({Clock: clock, PasswordHasher: _FAST_HASHER})


def container_for(settings: Settings, *overrides: Override) -> AsyncContainer:
    """Return what `make_container` would make of these, with what the HTTP entrypoint adds; it wants closing.

    Making a container, and each thing in it for the first time, costs more than most tests. What dishka finds out
    thereby is the same for all on one storage that are given the same kinds of values. So they are children of one that
    is made once, and bring their own settings and values. Providers of something else have a container made for them.
    """
    values: dict[Any, object] = {}
    for override in overrides:
        if isinstance(override, Provider):
            providers = (each.provider() if isinstance(each, Given) else each for each in overrides)
            return make_container(settings, *http_providers(), *providers)
        values |= override.values
    parent = _parent(settings, frozenset(values))
    return parent({Settings: settings, **values}, scope=Lifetime.APP)


_parents: dict[tuple[bool, frozenset[Any]], AsyncContainer] = {}


def _parent(settings: Settings, kinds: frozenset[Any]) -> AsyncContainer:
    key = settings.is_memory, kinds
    if key not in _parents:
        given = Provider(scope=Lifetime.APP)
        for kind in kinds:
            given.from_context(kind)
        providers = (*providers_for(settings), *http_providers(), given)
        _parents[key] = make_async_container(
            *providers, scopes=Lifetime, start_scope=Lifetime.RUNTIME, lock_factory=None
        )
    return _parents[key]

"""The one container where ports meet adapters."""

from dishka import AsyncContainer, Provider, make_async_container

from adapters.system_memory import share_one_arena
from entrypoints.lifetimes import Lifetime
from entrypoints.providers.mail import MailProvider
from entrypoints.providers.platform import PlatformProvider
from entrypoints.providers.use_cases import (
    AuditUseCases,
    AuthUseCases,
    ItemUseCases,
    MailUseCases,
    SigningKeyUseCases,
    UserUseCases,
)
from entrypoints.settings import Settings


def make_container(settings: Settings, *overrides: Provider) -> AsyncContainer:
    """Return the container for these settings; what a later provider provides wins, so a test passes one of its own."""
    # Before anything starts a thread, which would get memory where what passwords' hashes took can't be given back.
    share_one_arena()
    return make_async_container(
        *providers_for(settings),
        *overrides,
        context={Settings: settings},
        scopes=Lifetime,
        # No factory waits for anything, so nobody else has a turn while one makes what there is once. To take a lock
        # for each thing that a request asks for would cost a fortieth of it.
        lock_factory=None,
    )


def providers_for(settings: Settings) -> tuple[Provider, ...]:
    """Return who makes what, with storage where these settings want it.

    Only one storage's adapters are loaded, with its dialect of SQL: they take some MB of each process.
    """
    storage: Provider
    if settings.is_memory:
        from entrypoints.providers.memory import MemoryProvider  # noqa: PLC0415

        storage = MemoryProvider()
    else:
        from adapters.sql import dialects  # noqa: PLC0415
        from entrypoints.providers.sql import SqlProvider  # noqa: PLC0415

        dialects.load(dialects.dialect_of(settings.database_url))
        storage = SqlProvider()
    return (
        PlatformProvider(),
        MailProvider(),
        storage,
        AuthUseCases(),
        UserUseCases(),
        ItemUseCases(),
        MailUseCases(),
        AuditUseCases(),
        SigningKeyUseCases(),
    )

"""The ports in memory."""

from collections.abc import AsyncIterator

from dishka import AnyOf, Provider, Scope, provide

from adapters.memory.audit import MemoryAuditLog
from adapters.memory.health import MemoryStorageHealth
from adapters.memory.items import MemoryItemQueries, MemoryItemRepository
from adapters.memory.one_time_tokens import MemoryOneTimeTokenQueries, MemoryOneTimeTokenRepository
from adapters.memory.outbox import MemoryOutbox
from adapters.memory.sessions import (
    MemoryCredentialQueries,
    MemorySessionRepository,
    MemorySigningKeyStore,
    MemoryStandings,
)
from adapters.memory.store import MemoryStandingChanges, MemoryStore, MemoryUnitOfWork
from adapters.memory.throttle import MemoryThrottle
from adapters.memory.users import MemoryUserQueries, MemoryUserRepository
from application.auth.ports import (
    CredentialQueries,
    OneTimeTokenQueries,
    OneTimeTokenRepository,
    SessionRepository,
    SigningKeyStore,
)
from application.auth.standing_cache import StandingSource
from application.health import StorageHealth
from application.items.ports import ItemQueries, ItemRepository
from application.ports import AuditLog, Outbox, StandingChanges, Throttle, UnitOfWork
from application.users.ports import UserQueries, UserRepository


class MemoryProvider(Provider):
    """One store per container, private changes per unit of work."""

    store = provide(MemoryStore, scope=Scope.APP)

    @provide(scope=Scope.REQUEST)
    async def unit_of_work(self, store: MemoryStore) -> AsyncIterator[AnyOf[MemoryUnitOfWork, UnitOfWork]]:
        unit = MemoryUnitOfWork(store)
        yield unit
        await unit.close()

    audit_log = provide(MemoryAuditLog, provides=AuditLog, scope=Scope.REQUEST)
    outbox = provide(MemoryOutbox, provides=Outbox, scope=Scope.REQUEST)
    throttle = provide(MemoryThrottle, provides=Throttle, scope=Scope.APP)
    health = provide(MemoryStorageHealth, provides=StorageHealth, scope=Scope.APP)
    signing_keys = provide(MemorySigningKeyStore, provides=SigningKeyStore, scope=Scope.APP)
    standing_changes = provide(MemoryStandingChanges, provides=StandingChanges, scope=Scope.REQUEST)
    standings = provide(MemoryStandings, provides=StandingSource, scope=Scope.APP)

    sessions = provide(MemorySessionRepository, provides=SessionRepository, scope=Scope.REQUEST)
    one_time_tokens = provide(MemoryOneTimeTokenRepository, provides=OneTimeTokenRepository, scope=Scope.REQUEST)
    one_time_token_queries = provide(MemoryOneTimeTokenQueries, provides=OneTimeTokenQueries, scope=Scope.APP)
    credentials = provide(MemoryCredentialQueries, provides=CredentialQueries, scope=Scope.APP)
    users = provide(MemoryUserRepository, provides=UserRepository, scope=Scope.REQUEST)
    user_queries = provide(MemoryUserQueries, provides=UserQueries, scope=Scope.APP)
    items = provide(MemoryItemRepository, provides=ItemRepository, scope=Scope.REQUEST)
    item_queries = provide(MemoryItemQueries, provides=ItemQueries, scope=Scope.APP)

"""The ports in memory."""

from collections.abc import AsyncIterator

from dishka import AnyOf, Provider, Scope, provide

from adapters.memory.audit import MemoryAuditLog
from adapters.memory.health import MemoryStorageHealth
from adapters.memory.items import MemoryItemQueries, MemoryItemRepository
from adapters.memory.leftovers import MemoryLeftovers
from adapters.memory.outbox import MemoryLetterQueries, MemoryLetterQueue, MemoryOutbox
from adapters.memory.sessions import (
    MemoryCredentialQueries,
    MemorySessionRepository,
    MemorySigningKeyStore,
    MemoryStandings,
)
from adapters.memory.store import MemoryStandingChanges, MemoryStore, MemoryUnitOfWork
from adapters.memory.throttle import MemoryThrottle
from adapters.memory.users import MemoryUserQueries, MemoryUserRepository
from application.auth.ports import CredentialQueries, SessionRepository, SigningKeyStore
from application.auth.standing_cache import StandingSource
from application.health import StorageHealth
from application.items.ports import ItemQueries, ItemRepository
from application.outbox import LetterQueries, LetterQueue
from application.ports import AuditLog, Outbox, StandingChanges, Throttle, UnitOfWork
from application.retention import Leftovers
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
    letter_queue = provide(MemoryLetterQueue, provides=LetterQueue, scope=Scope.APP)
    letter_queries = provide(MemoryLetterQueries, provides=LetterQueries, scope=Scope.APP)
    leftovers = provide(MemoryLeftovers, provides=Leftovers, scope=Scope.APP)
    throttle = provide(MemoryThrottle, provides=AnyOf[MemoryThrottle, Throttle], scope=Scope.APP)
    health = provide(MemoryStorageHealth, provides=StorageHealth, scope=Scope.APP)
    signing_keys = provide(MemorySigningKeyStore, provides=SigningKeyStore, scope=Scope.APP)
    standing_changes = provide(MemoryStandingChanges, provides=StandingChanges, scope=Scope.REQUEST)
    standings = provide(MemoryStandings, provides=StandingSource, scope=Scope.APP)

    sessions = provide(MemorySessionRepository, provides=SessionRepository, scope=Scope.REQUEST)
    credentials = provide(MemoryCredentialQueries, provides=CredentialQueries, scope=Scope.APP)
    users = provide(MemoryUserRepository, provides=UserRepository, scope=Scope.REQUEST)
    user_queries = provide(MemoryUserQueries, provides=UserQueries, scope=Scope.APP)
    items = provide(MemoryItemRepository, provides=ItemRepository, scope=Scope.REQUEST)
    item_queries = provide(MemoryItemQueries, provides=ItemQueries, scope=Scope.APP)

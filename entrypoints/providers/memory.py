"""The ports in memory."""

from collections.abc import AsyncIterator

from dishka import AnyOf, Provider, Scope, provide

from adapters.memory.api_keys import (
    MemoryApiKeyQueries,
    MemoryApiKeyRepository,
    MemoryApiKeyStandings,
    MemoryApiKeyUses,
)
from adapters.memory.audit import MemoryAuditLog, MemoryAuditQueries
from adapters.memory.health import MemoryStorageHealth
from adapters.memory.items import MemoryItemQueries, MemoryItemRepository
from adapters.memory.leftovers import MemoryLeftovers
from adapters.memory.one_time_tokens import MemoryOneTimeTokenQueries, MemoryOneTimeTokenRepository
from adapters.memory.outbox import MemoryLetterQueries, MemoryLetterQueue, MemoryOutbox
from adapters.memory.personal_data import MemoryPersonalDataQueries
from adapters.memory.replies import MemoryReplies
from adapters.memory.sessions import (
    MemoryCredentialQueries,
    MemoryLoginPlaces,
    MemorySessionQueries,
    MemorySessionRepository,
    MemorySessionRotation,
    MemorySigningKeyRing,
    MemorySigningKeyStore,
    MemoryStandings,
)
from adapters.memory.store import MemoryStandingChanges, MemoryStandingListener, MemoryStore, MemoryUnitOfWork
from adapters.memory.throttle import MemoryThrottle
from adapters.memory.two_factor import (
    MemoryMfaChallengeQueries,
    MemoryMfaChallengeRepository,
    MemoryTwoFactorRepository,
)
from adapters.memory.users import MemoryUserQueries, MemoryUserRepository
from adapters.throttle import NullThrottle
from application.audit import AuditQueries
from application.auth.api_key_cache import ApiKeyStandingSource
from application.auth.export import PersonalDataQueries
from application.auth.ports import (
    ApiKeyQueries,
    ApiKeyRepository,
    ApiKeyUses,
    CredentialQueries,
    LoginPlaces,
    MfaChallengeQueries,
    MfaChallengeRepository,
    OneTimeTokenQueries,
    OneTimeTokenRepository,
    SessionQueries,
    SessionRepository,
    SessionRotation,
    SigningKeyRing,
    SigningKeyStore,
    TwoFactorRepository,
)
from application.auth.standing_cache import StandingSource
from application.health import StorageHealth
from application.items.ports import ItemQueries, ItemRepository
from application.outbox import LetterQueries, LetterQueue
from application.ports import AuditLog, Outbox, StandingChanges, StandingListener, Throttle, UnitOfWork
from application.replies import Replies
from application.retention import Leftovers
from application.users.ports import UserQueries, UserRepository
from entrypoints.settings import Settings


class MemoryProvider(Provider):
    """One store per container, private changes per unit of work."""

    store = provide(MemoryStore, scope=Scope.APP)

    @provide(scope=Scope.REQUEST)
    async def unit_of_work(self, store: MemoryStore) -> AsyncIterator[AnyOf[MemoryUnitOfWork, UnitOfWork]]:
        unit = MemoryUnitOfWork(store)
        yield unit
        await unit.close()

    counts = provide(MemoryThrottle, scope=Scope.APP)

    @provide(scope=Scope.APP)
    def throttle(self, counts: MemoryThrottle, settings: Settings) -> Throttle:
        return counts if settings.throttle else NullThrottle()

    replies = provide(MemoryReplies, provides=Replies, scope=Scope.REQUEST)
    audit_log = provide(MemoryAuditLog, provides=AuditLog, scope=Scope.REQUEST)
    outbox = provide(MemoryOutbox, provides=Outbox, scope=Scope.REQUEST)
    letter_queue = provide(MemoryLetterQueue, provides=LetterQueue, scope=Scope.APP)
    letter_queries = provide(MemoryLetterQueries, provides=LetterQueries, scope=Scope.APP)
    leftovers = provide(MemoryLeftovers, provides=Leftovers, scope=Scope.APP)
    audit_queries = provide(MemoryAuditQueries, provides=AuditQueries, scope=Scope.APP)
    login_places = provide(MemoryLoginPlaces, provides=LoginPlaces, scope=Scope.APP)
    signing_key_ring = provide(MemorySigningKeyRing, provides=SigningKeyRing, scope=Scope.REQUEST)
    health = provide(MemoryStorageHealth, provides=StorageHealth, scope=Scope.APP)
    signing_keys = provide(MemorySigningKeyStore, provides=SigningKeyStore, scope=Scope.APP)
    standing_changes = provide(MemoryStandingChanges, provides=StandingChanges, scope=Scope.REQUEST)
    personal_data = provide(MemoryPersonalDataQueries, provides=PersonalDataQueries, scope=Scope.APP)
    standing_listener = provide(MemoryStandingListener, provides=StandingListener, scope=Scope.APP)
    standings = provide(MemoryStandings, provides=StandingSource, scope=Scope.APP)

    sessions = provide(MemorySessionRepository, provides=SessionRepository, scope=Scope.REQUEST)
    session_rotation = provide(MemorySessionRotation, provides=SessionRotation, scope=Scope.APP)
    session_queries = provide(MemorySessionQueries, provides=SessionQueries, scope=Scope.APP)
    one_time_tokens = provide(MemoryOneTimeTokenRepository, provides=OneTimeTokenRepository, scope=Scope.REQUEST)
    one_time_token_queries = provide(MemoryOneTimeTokenQueries, provides=OneTimeTokenQueries, scope=Scope.APP)
    credentials = provide(MemoryCredentialQueries, provides=CredentialQueries, scope=Scope.APP)
    users = provide(MemoryUserRepository, provides=UserRepository, scope=Scope.REQUEST)
    user_queries = provide(MemoryUserQueries, provides=UserQueries, scope=Scope.APP)
    items = provide(MemoryItemRepository, provides=ItemRepository, scope=Scope.REQUEST)
    item_queries = provide(MemoryItemQueries, provides=ItemQueries, scope=Scope.APP)

    two_factor = provide(MemoryTwoFactorRepository, provides=TwoFactorRepository, scope=Scope.REQUEST)
    mfa_challenges = provide(MemoryMfaChallengeRepository, provides=MfaChallengeRepository, scope=Scope.REQUEST)
    mfa_challenge_queries = provide(MemoryMfaChallengeQueries, provides=MfaChallengeQueries, scope=Scope.APP)
    api_keys = provide(MemoryApiKeyRepository, provides=ApiKeyRepository, scope=Scope.REQUEST)
    api_key_queries = provide(MemoryApiKeyQueries, provides=ApiKeyQueries, scope=Scope.APP)
    api_key_standings = provide(MemoryApiKeyStandings, provides=ApiKeyStandingSource, scope=Scope.APP)
    api_key_uses = provide(MemoryApiKeyUses, provides=ApiKeyUses, scope=Scope.APP)

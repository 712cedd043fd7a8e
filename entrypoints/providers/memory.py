"""The ports in memory."""

from collections.abc import AsyncIterator

from dishka import AnyOf, Provider, provide

from adapters.memory.api_keys import (
    MemoryApiKeyQueries,
    MemoryApiKeyRepository,
    MemoryApiKeyStandings,
    MemoryApiKeyUses,
)
from adapters.memory.audit import MemoryAuditLog, MemoryAuditQueries
from adapters.memory.health import MemoryStorageHealth
from adapters.memory.items import MemoryItemLoader, MemoryItemQueries, MemoryItemRepository
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
from application.auth.api_key_ports import ApiKeyQueries, ApiKeyRepository, ApiKeyUses
from application.auth.export import PersonalDataQueries
from application.auth.ports import (
    CredentialQueries,
    LoginPlaces,
    OneTimeTokenQueries,
    OneTimeTokenRepository,
    SessionQueries,
    SessionRepository,
    SessionRotation,
)
from application.auth.signing_ports import SigningKeyRing, SigningKeyStore
from application.auth.standing_cache import StandingSource
from application.auth.two_factor_ports import MfaChallengeQueries, MfaChallengeRepository, TwoFactorRepository
from application.health import StorageHealth
from application.items.ports import ItemLoader, ItemQueries, ItemRepository
from application.outbox import LetterQueries, LetterQueue
from application.ports import AuditLog, Outbox, StandingChanges, StandingListener, Throttle, UnitOfWork
from application.replies import Replies
from application.retention import Leftovers
from application.users.ports import UserQueries, UserRepository
from entrypoints.lifetimes import Lifetime
from entrypoints.settings import Settings


class MemoryProvider(Provider):
    """One store per container, private changes per unit of work."""

    store = provide(MemoryStore, scope=Lifetime.APP)

    @provide(scope=Lifetime.REQUEST)
    async def unit_of_work(self, store: MemoryStore) -> AsyncIterator[AnyOf[MemoryUnitOfWork, UnitOfWork]]:
        unit = MemoryUnitOfWork(store)
        yield unit
        await unit.close()

    counts = provide(MemoryThrottle, scope=Lifetime.APP)

    @provide(scope=Lifetime.APP)
    def throttle(self, counts: MemoryThrottle, settings: Settings) -> Throttle:
        return counts if settings.throttle else NullThrottle()

    replies = provide(MemoryReplies, provides=Replies, scope=Lifetime.REQUEST)
    audit_log = provide(MemoryAuditLog, provides=AuditLog, scope=Lifetime.REQUEST)
    outbox = provide(MemoryOutbox, provides=Outbox, scope=Lifetime.REQUEST)
    letter_queue = provide(MemoryLetterQueue, provides=LetterQueue, scope=Lifetime.APP)
    letter_queries = provide(MemoryLetterQueries, provides=LetterQueries, scope=Lifetime.APP)
    leftovers = provide(MemoryLeftovers, provides=Leftovers, scope=Lifetime.APP)
    audit_queries = provide(MemoryAuditQueries, provides=AuditQueries, scope=Lifetime.APP)
    login_places = provide(MemoryLoginPlaces, provides=LoginPlaces, scope=Lifetime.APP)
    signing_key_ring = provide(MemorySigningKeyRing, provides=SigningKeyRing, scope=Lifetime.REQUEST)
    health = provide(MemoryStorageHealth, provides=StorageHealth, scope=Lifetime.APP)
    signing_keys = provide(MemorySigningKeyStore, provides=SigningKeyStore, scope=Lifetime.APP)
    standing_changes = provide(MemoryStandingChanges, provides=StandingChanges, scope=Lifetime.REQUEST)
    personal_data = provide(MemoryPersonalDataQueries, provides=PersonalDataQueries, scope=Lifetime.APP)
    standing_listener = provide(MemoryStandingListener, provides=StandingListener, scope=Lifetime.APP)
    standings = provide(MemoryStandings, provides=StandingSource, scope=Lifetime.APP)

    sessions = provide(MemorySessionRepository, provides=SessionRepository, scope=Lifetime.REQUEST)
    session_rotation = provide(MemorySessionRotation, provides=SessionRotation, scope=Lifetime.APP)
    session_queries = provide(MemorySessionQueries, provides=SessionQueries, scope=Lifetime.APP)
    one_time_tokens = provide(MemoryOneTimeTokenRepository, provides=OneTimeTokenRepository, scope=Lifetime.REQUEST)
    one_time_token_queries = provide(MemoryOneTimeTokenQueries, provides=OneTimeTokenQueries, scope=Lifetime.APP)
    credentials = provide(MemoryCredentialQueries, provides=CredentialQueries, scope=Lifetime.APP)
    users = provide(MemoryUserRepository, provides=UserRepository, scope=Lifetime.REQUEST)
    user_queries = provide(MemoryUserQueries, provides=UserQueries, scope=Lifetime.APP)
    items = provide(MemoryItemRepository, provides=ItemRepository, scope=Lifetime.REQUEST)
    item_loader = provide(MemoryItemLoader, provides=ItemLoader, scope=Lifetime.APP)
    item_queries = provide(MemoryItemQueries, provides=ItemQueries, scope=Lifetime.APP)

    two_factor = provide(MemoryTwoFactorRepository, provides=TwoFactorRepository, scope=Lifetime.REQUEST)
    mfa_challenges = provide(MemoryMfaChallengeRepository, provides=MfaChallengeRepository, scope=Lifetime.REQUEST)
    mfa_challenge_queries = provide(MemoryMfaChallengeQueries, provides=MfaChallengeQueries, scope=Lifetime.APP)
    api_keys = provide(MemoryApiKeyRepository, provides=ApiKeyRepository, scope=Lifetime.REQUEST)
    api_key_queries = provide(MemoryApiKeyQueries, provides=ApiKeyQueries, scope=Lifetime.APP)
    api_key_standings = provide(MemoryApiKeyStandings, provides=ApiKeyStandingSource, scope=Lifetime.APP)
    api_key_uses = provide(MemoryApiKeyUses, provides=ApiKeyUses, scope=Lifetime.APP)

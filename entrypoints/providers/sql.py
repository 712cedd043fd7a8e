"""The ports on SQLite or PostgreSQL."""

from collections.abc import AsyncIterator

from dishka import AnyOf, Provider, Scope, provide

from adapters.sql.api_keys import SqlApiKeyQueries, SqlApiKeyRepository, SqlApiKeyStandings, SqlApiKeyUses
from adapters.sql.audit import SqlAuditLog, SqlAuditQueries
from adapters.sql.engines import Engines, make_engines, make_migration_engine
from adapters.sql.health import SqlStorageHealth
from adapters.sql.item_queries import SqlItemQueries
from adapters.sql.items import SqlItemRepository
from adapters.sql.keyring import SqlSigningKeyRing, SqlSigningKeyStore
from adapters.sql.leftovers import SqlLeftovers
from adapters.sql.one_time_tokens import SqlOneTimeTokenQueries, SqlOneTimeTokenRepository
from adapters.sql.outbox import SqlLetterQueries, SqlLetterQueue, SqlOutbox
from adapters.sql.personal_data import SqlPersonalDataQueries
from adapters.sql.reads import Reads
from adapters.sql.replies import SqlReplies
from adapters.sql.schema import SqlSchema
from adapters.sql.sessions import (
    SqlCredentialQueries,
    SqlLoginPlaces,
    SqlSessionQueries,
    SqlSessionRepository,
    SqlSessionRotation,
    SqlStandings,
)
from adapters.sql.standing_listener import PostgresqlStandingListener, SqliteStandingListener
from adapters.sql.throttle import SqlThrottle
from adapters.sql.two_factor import SqlMfaChallengeQueries, SqlMfaChallengeRepository, SqlTwoFactorRepository
from adapters.sql.unit_of_work import SqlStandingChanges, SqlUnitOfWork
from adapters.sql.users import SqlUserQueries, SqlUserRepository
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
from application.ports import (
    AuditLog,
    Clock,
    Outbox,
    StandingChanges,
    StandingListener,
    StandingMemory,
    Throttle,
    UnitOfWork,
)
from application.replies import Replies
from application.retention import Leftovers
from application.schema import Schema
from application.users.ports import UserQueries, UserRepository
from entrypoints.settings import Settings


class SqlProvider(Provider):
    """One engine pair per process, one connection per unit of work."""

    @provide(scope=Scope.APP)
    async def engines(self, settings: Settings) -> AsyncIterator[Engines]:
        engines = make_engines(settings.database_url, read_url=settings.database_read_url)
        yield engines
        await engines.dispose()

    @provide(scope=Scope.APP)
    async def schema(self, settings: Settings) -> AsyncIterator[Schema]:
        engine = make_migration_engine(settings.database_url)
        yield SqlSchema(engine)
        await engine.dispose()

    @provide(scope=Scope.APP)
    def reads(self, engines: Engines) -> Reads:
        return Reads(engines.read)

    @provide(scope=Scope.REQUEST)
    async def unit_of_work(self, engines: Engines) -> AsyncIterator[AnyOf[SqlUnitOfWork, UnitOfWork]]:
        unit = SqlUnitOfWork(engines.write)
        yield unit
        await unit.close()

    @provide(scope=Scope.APP)
    def throttle(self, engines: Engines, clock: Clock, settings: Settings) -> Throttle:
        return SqlThrottle(engines, clock) if settings.throttle else NullThrottle()

    @provide(scope=Scope.APP)
    def standing_listener(self, settings: Settings, memory: StandingMemory) -> StandingListener:
        return (
            SqliteStandingListener()
            if settings.is_sqlite
            else PostgresqlStandingListener(settings.database_url, memory)
        )

    replies = provide(SqlReplies, provides=Replies, scope=Scope.REQUEST)
    audit_log = provide(SqlAuditLog, provides=AuditLog, scope=Scope.REQUEST)
    outbox = provide(SqlOutbox, provides=Outbox, scope=Scope.REQUEST)
    letter_queue = provide(SqlLetterQueue, provides=LetterQueue, scope=Scope.APP)
    letter_queries = provide(SqlLetterQueries, provides=LetterQueries, scope=Scope.APP)
    leftovers = provide(SqlLeftovers, provides=Leftovers, scope=Scope.APP)
    audit_queries = provide(SqlAuditQueries, provides=AuditQueries, scope=Scope.APP)
    login_places = provide(SqlLoginPlaces, provides=LoginPlaces, scope=Scope.APP)
    signing_key_ring = provide(SqlSigningKeyRing, provides=SigningKeyRing, scope=Scope.REQUEST)
    health = provide(SqlStorageHealth, provides=StorageHealth, scope=Scope.APP)
    signing_keys = provide(SqlSigningKeyStore, provides=SigningKeyStore, scope=Scope.APP)
    standing_changes = provide(SqlStandingChanges, provides=StandingChanges, scope=Scope.REQUEST)
    personal_data = provide(SqlPersonalDataQueries, provides=PersonalDataQueries, scope=Scope.APP)
    standings = provide(SqlStandings, provides=StandingSource, scope=Scope.APP)

    sessions = provide(SqlSessionRepository, provides=SessionRepository, scope=Scope.REQUEST)
    session_rotation = provide(SqlSessionRotation, provides=SessionRotation, scope=Scope.APP)
    session_queries = provide(SqlSessionQueries, provides=SessionQueries, scope=Scope.APP)
    one_time_tokens = provide(SqlOneTimeTokenRepository, provides=OneTimeTokenRepository, scope=Scope.REQUEST)
    one_time_token_queries = provide(SqlOneTimeTokenQueries, provides=OneTimeTokenQueries, scope=Scope.APP)
    credentials = provide(SqlCredentialQueries, provides=CredentialQueries, scope=Scope.APP)
    users = provide(SqlUserRepository, provides=UserRepository, scope=Scope.REQUEST)
    user_queries = provide(SqlUserQueries, provides=UserQueries, scope=Scope.APP)
    items = provide(SqlItemRepository, provides=ItemRepository, scope=Scope.REQUEST)
    item_queries = provide(SqlItemQueries, provides=ItemQueries, scope=Scope.APP)

    two_factor = provide(SqlTwoFactorRepository, provides=TwoFactorRepository, scope=Scope.REQUEST)
    mfa_challenges = provide(SqlMfaChallengeRepository, provides=MfaChallengeRepository, scope=Scope.REQUEST)
    mfa_challenge_queries = provide(SqlMfaChallengeQueries, provides=MfaChallengeQueries, scope=Scope.APP)
    api_keys = provide(SqlApiKeyRepository, provides=ApiKeyRepository, scope=Scope.REQUEST)
    api_key_queries = provide(SqlApiKeyQueries, provides=ApiKeyQueries, scope=Scope.APP)
    api_key_standings = provide(SqlApiKeyStandings, provides=ApiKeyStandingSource, scope=Scope.APP)
    api_key_uses = provide(SqlApiKeyUses, provides=ApiKeyUses, scope=Scope.APP)

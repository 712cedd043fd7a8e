"""The ports on SQLite or PostgreSQL."""

from collections.abc import AsyncIterator

from dishka import AnyOf, Provider, provide

from adapters.sql.api_keys import SqlApiKeyQueries, SqlApiKeyRepository, SqlApiKeyStandings, SqlApiKeyUses
from adapters.sql.audit import SqlAuditLog, SqlAuditQueries
from adapters.sql.engines import Engines, make_engines
from adapters.sql.health import SqlStorageHealth
from adapters.sql.item_loading import PostgresqlItemLoader, SqliteItemLoader
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
from entrypoints.lifetimes import Lifetime
from entrypoints.settings import Settings


class SqlProvider(Provider):
    """One engine pair per process, one connection per unit of work."""

    @provide(scope=Lifetime.APP)
    async def engines(self, settings: Settings) -> AsyncIterator[Engines]:
        engines = make_engines(settings.database_url, read_url=settings.database_read_url)
        yield engines
        await engines.dispose()

    @provide(scope=Lifetime.APP)
    def schema(self, settings: Settings, engines: Engines) -> Schema:
        return SqlSchema(settings.database_url, engines)

    @provide(scope=Lifetime.APP)
    def reads(self, engines: Engines) -> Reads:
        return Reads(engines.read)

    @provide(scope=Lifetime.REQUEST)
    async def unit_of_work(self, engines: Engines) -> AsyncIterator[AnyOf[SqlUnitOfWork, UnitOfWork]]:
        unit = SqlUnitOfWork(engines.write)
        yield unit
        await unit.close()

    @provide(scope=Lifetime.APP)
    def throttle(self, engines: Engines, clock: Clock, settings: Settings) -> Throttle:
        return SqlThrottle(engines, clock) if settings.throttle else NullThrottle()

    @provide(scope=Lifetime.APP)
    def standing_listener(self, settings: Settings, memory: StandingMemory) -> StandingListener:
        return (
            SqliteStandingListener()
            if settings.is_sqlite
            else PostgresqlStandingListener(settings.database_url, memory)
        )

    @provide(scope=Lifetime.APP)
    def item_loader(self, engines: Engines, settings: Settings) -> ItemLoader:
        return SqliteItemLoader(engines) if settings.is_sqlite else PostgresqlItemLoader(engines)

    replies = provide(SqlReplies, provides=Replies, scope=Lifetime.REQUEST)
    audit_log = provide(SqlAuditLog, provides=AuditLog, scope=Lifetime.REQUEST)
    outbox = provide(SqlOutbox, provides=Outbox, scope=Lifetime.REQUEST)
    letter_queue = provide(SqlLetterQueue, provides=LetterQueue, scope=Lifetime.APP)
    letter_queries = provide(SqlLetterQueries, provides=LetterQueries, scope=Lifetime.APP)
    leftovers = provide(SqlLeftovers, provides=Leftovers, scope=Lifetime.APP)
    audit_queries = provide(SqlAuditQueries, provides=AuditQueries, scope=Lifetime.APP)
    login_places = provide(SqlLoginPlaces, provides=LoginPlaces, scope=Lifetime.APP)
    signing_key_ring = provide(SqlSigningKeyRing, provides=SigningKeyRing, scope=Lifetime.REQUEST)
    health = provide(SqlStorageHealth, provides=StorageHealth, scope=Lifetime.APP)
    signing_keys = provide(SqlSigningKeyStore, provides=SigningKeyStore, scope=Lifetime.APP)
    standing_changes = provide(SqlStandingChanges, provides=StandingChanges, scope=Lifetime.REQUEST)
    personal_data = provide(SqlPersonalDataQueries, provides=PersonalDataQueries, scope=Lifetime.APP)
    standings = provide(SqlStandings, provides=StandingSource, scope=Lifetime.APP)

    sessions = provide(SqlSessionRepository, provides=SessionRepository, scope=Lifetime.REQUEST)
    session_rotation = provide(SqlSessionRotation, provides=SessionRotation, scope=Lifetime.APP)
    session_queries = provide(SqlSessionQueries, provides=SessionQueries, scope=Lifetime.APP)
    one_time_tokens = provide(SqlOneTimeTokenRepository, provides=OneTimeTokenRepository, scope=Lifetime.REQUEST)
    one_time_token_queries = provide(SqlOneTimeTokenQueries, provides=OneTimeTokenQueries, scope=Lifetime.APP)
    credentials = provide(SqlCredentialQueries, provides=CredentialQueries, scope=Lifetime.APP)
    users = provide(SqlUserRepository, provides=UserRepository, scope=Lifetime.REQUEST)
    user_queries = provide(SqlUserQueries, provides=UserQueries, scope=Lifetime.APP)
    items = provide(SqlItemRepository, provides=ItemRepository, scope=Lifetime.REQUEST)
    item_queries = provide(SqlItemQueries, provides=ItemQueries, scope=Lifetime.APP)

    two_factor = provide(SqlTwoFactorRepository, provides=TwoFactorRepository, scope=Lifetime.REQUEST)
    mfa_challenges = provide(SqlMfaChallengeRepository, provides=MfaChallengeRepository, scope=Lifetime.REQUEST)
    mfa_challenge_queries = provide(SqlMfaChallengeQueries, provides=MfaChallengeQueries, scope=Lifetime.APP)
    api_keys = provide(SqlApiKeyRepository, provides=ApiKeyRepository, scope=Lifetime.REQUEST)
    api_key_queries = provide(SqlApiKeyQueries, provides=ApiKeyQueries, scope=Lifetime.APP)
    api_key_standings = provide(SqlApiKeyStandings, provides=ApiKeyStandingSource, scope=Lifetime.APP)
    api_key_uses = provide(SqlApiKeyUses, provides=ApiKeyUses, scope=Lifetime.APP)

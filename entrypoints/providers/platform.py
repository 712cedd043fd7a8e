"""What every storage is combined with: time, ids, cryptography, and the owner's decisions."""

import os
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

from dishka import AnyOf, Provider, from_context, provide

from adapters.clock import SystemClock
from adapters.ids import UuidV7
from adapters.security.access_tokens import Ed25519AccessTokens
from adapters.security.argon2 import Argon2PasswordHasher
from adapters.security.blocklist import ZxcvbnCommonPasswords
from adapters.security.cipher import Cipher
from adapters.security.random_bytes import OsRandomBytes
from adapters.security.refresh_tokens import HmacRefreshTokens
from adapters.security.secrets import SecretKey
from adapters.security.signing_keys import Ed25519Keys
from adapters.security.totp import PyotpTotpCodes
from adapters.system_memory import SpareMemory
from application.auth.api_key_cache import ApiKeyCache, ApiKeyStandingSource, ApiKeyUseLog, StandingMemories
from application.auth.api_key_ports import ApiKeyStandings, ApiKeyUses
from application.auth.links import AccountLinks
from application.auth.policy import PasswordPolicy
from application.auth.ports import PasswordHasher, RandomBytes, RefreshTokens, Standings
from application.auth.registration import RegistrationPolicy
from application.auth.signing_ports import AccessTokens, SigningKeyMaker, SigningKeyStore
from application.auth.standing_cache import StandingCache, StandingSource
from application.auth.two_factor_ports import TotpCodes
from application.outbox import Sealer
from application.ports import Clock, NewId, StandingMemory
from domain.auth.session import SessionLifetimes
from entrypoints.background import Housekeeping
from entrypoints.lifetimes import Lifetime
from entrypoints.settings import Settings

MOST_HASHES = 4
"""At once in one process: a container on a machine with many cores may have few of them, and little memory."""


def _hashing_threads() -> int:
    """Return how many hashes to work on at once: more than there are cores would only take turns, and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_HASHES)


class PlatformProvider(Provider):
    """One of each per process."""

    scope = Lifetime.APP

    settings = from_context(Settings)
    clock = provide(SystemClock, provides=Clock)
    new_id = provide(UuidV7, provides=NewId)
    refresh_tokens = provide(HmacRefreshTokens, provides=RefreshTokens)
    random_bytes = provide(OsRandomBytes, provides=RandomBytes)
    housekeeping = provide(SpareMemory, provides=Housekeeping)

    @provide
    def secret_key(self, settings: Settings) -> SecretKey:
        return SecretKey(settings.secret_key.encode())

    @provide
    def sealer(self, secret_key: SecretKey) -> Sealer:
        return Cipher(secret_key, purpose="letters")

    @provide
    def password_hasher(self) -> Iterator[PasswordHasher]:
        hasher = Argon2PasswordHasher(threads=_hashing_threads())
        yield hasher
        hasher.close()

    @provide
    def access_tokens(
        self, store: SigningKeyStore, secret_key: SecretKey, clock: Clock, settings: Settings
    ) -> AccessTokens:
        cipher = Cipher(secret_key, purpose="signing keys")
        return Ed25519AccessTokens(store, cipher, clock, issuer=settings.public_url, audience=settings.public_url)

    @provide
    def signing_key_maker(self, secret_key: SecretKey) -> SigningKeyMaker:
        return Ed25519Keys(Cipher(secret_key, purpose="signing keys"))

    @provide
    def standings(self, source: StandingSource, clock: Clock, settings: Settings) -> AnyOf[StandingCache, Standings]:
        return StandingCache(source, clock, keep=settings.session_cache)

    @provide
    def api_key_standings(
        self, source: ApiKeyStandingSource, clock: Clock, settings: Settings
    ) -> AnyOf[ApiKeyCache, ApiKeyStandings]:
        return ApiKeyCache(source, clock, keep=settings.session_cache)

    @provide
    def standing_memory(self, sessions: StandingCache, api_keys: ApiKeyCache) -> StandingMemory:
        return StandingMemories(sessions, api_keys)

    @provide
    async def api_key_use_log(self, uses: ApiKeyUses, clock: Clock) -> AsyncIterator[ApiKeyUseLog]:
        log = ApiKeyUseLog(uses, clock)
        yield log
        await log.close()

    @provide
    def totp_codes(self, secret_key: SecretKey, random_bytes: RandomBytes, settings: Settings) -> TotpCodes:
        cipher = Cipher(secret_key, purpose="totp seeds")
        return PyotpTotpCodes(cipher, random_bytes, issuer=f"Portico ({urlsplit(settings.public_url).hostname})")

    @provide
    def session_lifetimes(self, settings: Settings) -> SessionLifetimes:
        return SessionLifetimes(
            access_token=settings.access_token,
            idle=settings.session_idle,
            absolute=settings.session_max,
            refresh_grace=settings.refresh_grace,
        )

    @provide
    def registration_policy(self, settings: Settings) -> RegistrationPolicy:
        return RegistrationPolicy(signup=settings.signup)

    @provide
    def password_policy(self, settings: Settings) -> PasswordPolicy:
        return PasswordPolicy(shortest=settings.password_min_length, common=ZxcvbnCommonPasswords())

    @provide
    def account_links(self, settings: Settings) -> AccountLinks:
        return AccountLinks(settings.account_url or f"{settings.public_url}/account")

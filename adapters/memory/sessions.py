"""Sessions, and what signing in looks up, in memory."""

from collections.abc import Iterable
from datetime import datetime

from adapters.memory.store import MemoryStore, MemoryUnitOfWork
from adapters.memory.two_factor import TOTP_FACTORS
from adapters.memory.users import USERS
from application.auth.ports import (
    Credential,
    CredentialQueries,
    LoginPlaces,
    SessionQueries,
    SessionRepository,
    SessionRotation,
    Standing,
)
from application.auth.signing_ports import SigningKey, SigningKeyRing, SigningKeyStore
from application.auth.standing_cache import StandingSource
from application.auth.views import SessionView
from application.throttling import place_of
from domain.auth.session import Session
from domain.auth.two_factor import TotpFactor
from domain.ids import SessionId, UserId
from domain.users.email import Email
from domain.users.errors import UserNotFound
from domain.users.user import User

SESSIONS = "sessions"
SIGNING_KEYS = "signing_keys"


class MemorySessionRepository(SessionRepository):
    """Sessions, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork) -> None:
        self._unit = unit

    async def add(self, session: Session) -> None:
        if (await self._unit.table(USERS, User)).get(session.user_id) is None:
            raise UserNotFound
        (await self._unit.table(SESSIONS, Session)).put(session.id, session)

    async def find(self, session_id: SessionId) -> Session | None:
        return (await self._unit.table(SESSIONS, Session)).get(session_id)

    async def revoke(self, session_id: SessionId, *, now: datetime) -> bool:
        sessions = await self._unit.table(SESSIONS, Session)
        session = sessions.get(session_id)
        if session is None or session.revoked_at is not None:
            return False
        session.revoke(now)
        sessions.put(session_id, session)
        return True

    async def revoke_all(self, user_id: UserId, *, now: datetime, but: SessionId | None = None) -> int:
        return await self._end([session for session in await self._live(user_id, now) if session.id != but], now)

    async def revoke_oldest(self, user_id: UserId, *, keep: int, now: datetime) -> int:
        return await self._end((await self._live(user_id, now))[keep:], now)

    async def _live(self, user_id: UserId, now: datetime) -> list[Session]:
        sessions = await self._unit.table(SESSIONS, Session)
        return _live(sessions.rows(), user_id, now)

    async def _end(self, ended: list[Session], now: datetime) -> int:
        sessions = await self._unit.table(SESSIONS, Session)
        for session in ended:
            session.revoke(now)
            sessions.put(session.id, session)
        return len(ended)


def _live(sessions: Iterable[Session], user_id: UserId, now: datetime) -> list[Session]:
    live = [session for session in sessions if session.user_id == user_id and session.is_live(now)]
    return sorted(live, key=lambda session: (session.created_at, session.id), reverse=True)


class MemorySessionRotation(SessionRotation):
    """Each in a unit of its own."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def rotate(
        self, session_id: SessionId, counter: int, *, idle_expires_at: datetime, now: datetime
    ) -> Session | None:
        unit = MemoryUnitOfWork(self._store)
        try:
            sessions = await unit.table(SESSIONS, Session)
            session = sessions.get(session_id)
            if session is None or session.counter != counter or not session.is_live(now):
                return None
            owner = (await unit.table(USERS, User)).get(session.user_id)
            if owner is None or not owner.is_active:
                return None
            session.counter += 1
            session.last_used_at = now
            session.idle_expires_at = min(idle_expires_at, session.expires_at)
            sessions.put(session_id, session)
            await unit.commit()
            return session
        finally:
            await unit.close()


class MemorySessionQueries(SessionQueries):
    """Sessions, as they are committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def live(self, user_id: UserId, *, current: SessionId | None, now: datetime) -> list[SessionView]:
        return [
            SessionView(
                session.id,
                session.created_at,
                session.last_used_at,
                session.ip,
                session.user_agent,
                current=session.id == current,
            )
            for session in _live(self._store.table(SESSIONS, Session).values(), user_id, now)
        ]


class MemoryCredentialQueries(CredentialQueries):
    """Credentials, as they are committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def find(self, email: Email) -> Credential | None:
        for user in self._store.table(USERS, User).values():
            if user.email == email:
                return self._credential(user)
        return None

    async def of(self, user_id: UserId) -> Credential | None:
        user = self._store.table(USERS, User).get(user_id)
        return None if user is None else self._credential(user)

    def _credential(self, user: User) -> Credential:
        factor = self._store.table(TOTP_FACTORS, TotpFactor).get(user.id)
        has_totp = factor is not None and factor.is_on
        return Credential(user.id, user.password_hash, user.is_active, user.version, has_totp, user.email_verified)


class MemoryLoginPlaces(LoginPlaces):
    """Places of sessions, as they are committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def knows(self, user_id: UserId, place: str) -> bool:
        sessions = self._store.table(SESSIONS, Session).values()
        return any(session.user_id == user_id and place_of(session.ip) == place for session in sessions)


class MemoryStandings(StandingSource):
    """How sessions stand, as it is committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def find(self, session_id: SessionId) -> Standing | None:
        session = self._store.table(SESSIONS, Session).get(session_id)
        user = None if session is None else self._store.table(USERS, User).get(session.user_id)
        if session is None or user is None:
            return None
        return Standing(user.id, user.role, user.is_active, session.revoked_at, session.expires_at)


class MemorySigningKeyStore(SigningKeyStore):
    """Signing keys, as long as the process lives."""

    def __init__(self, store: MemoryStore) -> None:
        self._keys = store.table(SIGNING_KEYS, SigningKey)

    async def all(self) -> list[SigningKey]:
        return sorted(self._keys.values(), key=lambda key: key.created_at)

    async def add_first(self, key: SigningKey) -> None:
        if not self._keys:
            self._keys[key.kid] = key


class MemorySigningKeyRing(SigningKeyRing):
    """Signing keys, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork) -> None:
        self._unit = unit

    async def all(self) -> list[SigningKey]:
        return sorted((await self._unit.table(SIGNING_KEYS, SigningKey)).rows(), key=lambda key: key.created_at)

    async def add(self, key: SigningKey) -> None:
        (await self._unit.table(SIGNING_KEYS, SigningKey)).put(key.kid, key)

    async def save(self, key: SigningKey) -> None:
        keys = await self._unit.table(SIGNING_KEYS, SigningKey)
        assert keys.get(key.kid) is not None
        keys.put(key.kid, key)

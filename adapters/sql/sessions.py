"""Sessions, and what signing in looks up, in SQL."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from adapters.sql.base import Timestamp, metadata
from adapters.sql.engines import Engines
from adapters.sql.errors import translated
from adapters.sql.mapping import Mapping, parameters
from adapters.sql.reads import Reads
from adapters.sql.two_factor import TOTP_FACTORS
from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import USERS
from application.auth.ports import (
    Credential,
    CredentialQueries,
    LoginPlaces,
    SessionQueries,
    SessionRepository,
    SessionRotation,
    Standing,
)
from application.auth.standing_cache import StandingSource
from application.auth.views import SessionView
from application.throttling import place_of
from domain.access import Role
from domain.auth.session import Session
from domain.ids import SessionId, UserId
from domain.users.email import Email

SESSIONS = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("counter", sa.BigInteger(), nullable=False),
    sa.Column("created_at", Timestamp(), nullable=False),
    sa.Column("last_used_at", Timestamp(), nullable=False),
    sa.Column("idle_expires_at", Timestamp(), nullable=False),
    sa.Column("expires_at", Timestamp(), nullable=False),
    sa.Column("revoked_at", Timestamp()),
    sa.Column("ip", sa.String(45)),
    sa.Column("user_agent", sa.String(400)),
    sa.Column("place", sa.String(50)),
    sa.Index("ix_sessions_user_id_place", "user_id", "place"),
)
"""It holds nothing that could be presented as a token."""

_sessions = Mapping(SESSIONS, derived=("place",))
_c = _sessions.table.c
_u = USERS.c
_ADD = sa.insert(_sessions.table).values(parameters((*_sessions.names, "place")))
_FIND = sa.select(*_sessions.columns).where(_c.id == sa.bindparam("session_id"))
_ROTATE = (
    sa.update(_sessions.table)
    .where(
        _c.id == sa.bindparam("session_id"),
        _c.counter == sa.bindparam("spent"),
        _c.revoked_at.is_(None),
        _c.idle_expires_at > sa.bindparam("now"),
        _c.expires_at > sa.bindparam("now"),
        sa.exists().where(_u.id == _c.user_id, _u.is_active),
    )
    .values(
        counter=_c.counter + 1,
        last_used_at=sa.bindparam("now"),
        idle_expires_at=sa.case(
            (_c.expires_at < sa.bindparam("idle_until"), _c.expires_at),
            else_=sa.bindparam("idle_until", type_=Timestamp()),
        ),
    )
    .returning(*_sessions.columns)
)
_REVOKE = (
    sa.update(_sessions.table)
    .where(_c.id == sa.bindparam("session_id"), _c.revoked_at.is_(None))
    .values(revoked_at=sa.bindparam("now"))
)
_LIVE = (
    _c.user_id == sa.bindparam("owner"),
    _c.revoked_at.is_(None),
    _c.idle_expires_at > sa.bindparam("now"),
    _c.expires_at > sa.bindparam("now"),
)
_REVOKE_ALL = sa.update(_sessions.table).where(*_LIVE).values(revoked_at=sa.bindparam("now"))
_REVOKE_ALL_BUT = _REVOKE_ALL.where(_c.id != sa.bindparam("but"))
_REVOKE_OLDEST = _REVOKE_ALL.where(
    _c.id.in_(sa.select(_c.id).where(*_LIVE).order_by(_c.created_at.desc(), _c.id.desc()).offset(sa.bindparam("keep")))
)


class SqlSessionRepository(SessionRepository):
    """Sessions, within a unit of work."""

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    async def add(self, session: Session) -> None:
        values = _sessions.values(session) | {"place": place_of(session.ip)}
        await self._unit.execute(_ADD, values)

    async def find(self, session_id: SessionId) -> Session | None:
        row = (await self._unit.execute(_FIND, {"session_id": session_id})).row()
        return None if row is None else Session(**_sessions.fields(row))

    async def revoke(self, session_id: SessionId, *, now: datetime) -> bool:
        return (await self._unit.execute(_REVOKE, {"session_id": session_id, "now": now})).count == 1

    async def revoke_all(self, user_id: UserId, *, now: datetime, but: SessionId | None = None) -> int:
        statement = _REVOKE_ALL if but is None else _REVOKE_ALL_BUT
        parameters = {"owner": user_id, "now": now} | ({} if but is None else {"but": but})
        return (await self._unit.execute(statement, parameters)).count

    async def revoke_oldest(self, user_id: UserId, *, keep: int, now: datetime) -> int:
        return (await self._unit.execute(_REVOKE_OLDEST, {"owner": user_id, "keep": keep, "now": now})).count


class SqlSessionRotation(SessionRotation):
    """One conditional update, which is a transaction of its own: one round trip."""

    def __init__(self, engines: Engines) -> None:
        self._write = engines.write

    async def rotate(
        self, session_id: SessionId, counter: int, *, idle_expires_at: datetime, now: datetime
    ) -> Session | None:
        parameters = {"session_id": session_id, "spent": counter, "idle_until": idle_expires_at, "now": now}
        with translated():
            row = (await self._write.run(_ROTATE, parameters)).row()
        return None if row is None else Session(**_sessions.fields(row))


_LIST = (
    sa.select(_c.id, _c.created_at, _c.last_used_at, _c.ip, _c.user_agent)
    .where(*_LIVE)
    .order_by(_c.created_at.desc(), _c.id.desc())
)


class SqlSessionQueries(SessionQueries):
    """Sessions, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def live(self, user_id: UserId, *, current: SessionId | None, now: datetime) -> list[SessionView]:
        def view(
            session_id: UUID, created_at: datetime, last_used_at: datetime, ip: str | None, user_agent: str | None
        ) -> SessionView:
            return SessionView(
                SessionId(session_id), created_at, last_used_at, ip, user_agent, current=session_id == current
            )

        return await self._reads.all(_LIST, view, owner=user_id, now=now)


_t = TOTP_FACTORS.c
_CREDENTIAL = sa.select(
    _u.id, _u.password_hash, _u.is_active, _u.version, _t.confirmed_at.is_not(None), _u.email_verified
).join_from(USERS, TOTP_FACTORS, _t.user_id == _u.id, isouter=True)
_CREDENTIAL_BY_EMAIL = _CREDENTIAL.where(_u.email == sa.bindparam("email"))
_CREDENTIAL_BY_ID = _CREDENTIAL.where(_u.id == sa.bindparam("id"))
_STANDING = (
    sa.select(_c.user_id, _u.role, _u.is_active, _c.revoked_at, _c.expires_at)
    .join_from(_sessions.table, USERS, _u.id == _c.user_id)
    .where(_c.id == sa.bindparam("session_id"))
)


class SqlCredentialQueries(CredentialQueries):
    """Credentials, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, email: Email) -> Credential | None:
        return await self._reads.one(_CREDENTIAL_BY_EMAIL, Credential, email=email)

    async def of(self, user_id: UserId) -> Credential | None:
        return await self._reads.one(_CREDENTIAL_BY_ID, Credential, id=user_id)


_KNOWS = sa.select(
    sa.exists().where(_c.user_id == sa.bindparam("user_id"), _c.place == sa.bindparam("place")).label("knows")
)


class SqlLoginPlaces(LoginPlaces):
    """Places of sessions, read without a transaction: one look into an index, whatever is there."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def knows(self, user_id: UserId, place: str) -> bool:
        return bool(await self._reads.one(_KNOWS, bool, user_id=user_id, place=place))


def _standing(
    user_id: UUID,
    role: str,
    is_active: bool,  # noqa: FBT001 - called with a row's columns, in their order
    revoked_at: datetime | None,
    expires_at: datetime,
) -> Standing:
    return Standing(UserId(user_id), Role(role), is_active, revoked_at, expires_at)


class SqlStandings(StandingSource):
    """How sessions stand, read without a transaction."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, session_id: SessionId) -> Standing | None:
        return await self._reads.one(_STANDING, _standing, session_id=session_id)

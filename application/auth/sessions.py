"""Staying signed in, and signing out."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

from application.auth.issue import TokenIssuer
from application.auth.ports import RefreshTokens, SessionQueries, SessionRepository, SessionRotation
from application.auth.views import SessionView, Tokens
from application.ports import AuditLog, Clock, StandingChanges, Throttle, UnitOfWork
from application.throttling import REFRESH_BY_SESSION
from domain.access import Actor, Client, Permission
from domain.audit import AuditAction
from domain.auth.errors import InvalidRefreshToken, SessionNotFound
from domain.auth.session import Session, SessionLifetimes
from domain.ids import SessionId, UserId


@dataclass(frozen=True, slots=True)
class SpentTokens:
    """What becomes of a refresh token that is not the current one (RFC 9700 section 4.14.2)."""

    sessions: SessionRepository
    lifetimes: SessionLifetimes
    standing_changes: StandingChanges
    audit: AuditLog
    unit: UnitOfWork

    async def answer(self, session_id: SessionId, counter: int, *, client: Client, now: datetime) -> Session:
        """Return the session if the token was spent just now; else raise InvalidRefreshToken.

        If it was spent longer ago, the session has ended by then, durably.
        """
        session = await self.sessions.find(session_id)
        if session is None or not session.is_live(now) or counter >= session.counter:
            raise InvalidRefreshToken
        if session.answers_again(counter, grace=self.lifetimes.refresh_grace, now=now):
            return session
        # Of many who present it at once one ends the session, and that is what is recorded.
        if await self.sessions.revoke(session.id, now=now):
            await self.standing_changes.announce(session.user_id)
            await self.audit.record(
                AuditAction.REFRESH_TOKEN_REUSED,
                actor_id=None,
                subject_id=session.user_id,
                client=client,
                data={"session_id": str(session.id)},
            )
            # Committed before the error is raised: the answer is a refusal, the revocation must stay.
            await self.unit.commit()
        raise InvalidRefreshToken


@dataclass(frozen=True, slots=True)
class RefreshSession:
    """Exchange a refresh token for its successor (RFC 9700 section 4.14.2).

    =====================================  ===============================================================
    the token presented                    what happens
    =====================================  ===============================================================
    the current one                        it is spent; its successor and an access token are returned
    the one just spent, within the grace   the same successor again: another tab, or the answer got lost
    any older one                          the session ends for good, whoever presented it
    =====================================  ===============================================================
    """

    rotation: SessionRotation
    refresh_tokens: RefreshTokens
    throttle: Throttle
    issuer: TokenIssuer
    lifetimes: SessionLifetimes
    clock: Clock
    spent_tokens: Callable[[], AbstractAsyncContextManager[SpentTokens]]
    """In a unit of work, which nearly no token needs. It ends before anything is signed: others may wait for it."""

    async def __call__(self, refresh_token: str, *, client: Client) -> Tokens:
        """Return new tokens; raises InvalidRefreshToken, after having ended the session durably if it was reused."""
        session_id, counter = self.refresh_tokens.read(refresh_token)
        # Only who holds a token that Portico made gets here: nobody else can use up a session's tries.
        await self.throttle.take(REFRESH_BY_SESSION, str(session_id))
        now = self.clock.now()
        session = await self.rotation.rotate(session_id, counter, idle_expires_at=now + self.lifetimes.idle, now=now)
        if session is None:
            async with self.spent_tokens() as spent_tokens:
                session = await spent_tokens.answer(session_id, counter, client=client, now=now)
        return await self.issuer.issue(session, now=now)


@dataclass(frozen=True, slots=True)
class SignOut:
    """End the session that the actor came with: its refresh token, and its access token at once.

    One that has ended already stays as it is, and nothing more is recorded.
    """

    sessions: SessionRepository
    standing_changes: StandingChanges
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor) -> None:
        """End it, unless it has ended; raises PermissionDenied."""
        actor.require(Permission.CREDENTIALS)
        if actor.session_id is None or not await self.sessions.revoke(actor.session_id, now=self.clock.now()):
            return
        await self.standing_changes.announce(actor.user_id)
        await self.audit.record(
            AuditAction.SESSION_REVOKED,
            actor_id=actor.user_id,
            subject_id=actor.user_id,
            client=actor.client,
            data={"session_id": str(actor.session_id)},
        )
        await self.unit.commit()


@dataclass(frozen=True, slots=True)
class ListSessions:
    """List an account's live sessions: one's own, or for who may see accounts anybody's."""

    sessions: SessionQueries
    clock: Clock

    async def __call__(self, actor: Actor, user_id: UserId) -> Sequence[SessionView]:
        """Return them, the newest first; raises PermissionDenied."""
        actor.require(Permission.CREDENTIALS)
        if user_id != actor.user_id:
            actor.require(Permission.USERS_READ)
        return await self.sessions.live(user_id, current=actor.session_id, now=self.clock.now())


@dataclass(frozen=True, slots=True)
class RevokeSession:
    """End one of the actor's sessions."""

    sessions: SessionRepository
    standing_changes: StandingChanges
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, session_id: SessionId) -> None:
        """End it; raises PermissionDenied, SessionNotFound, also for a session of somebody else."""
        actor.require(Permission.CREDENTIALS)
        now = self.clock.now()
        session = await self.sessions.find(session_id)
        if (
            session is None
            or session.user_id != actor.user_id
            or not session.is_live(now)
            or not await self.sessions.revoke(session_id, now=now)
        ):
            raise SessionNotFound
        await self.standing_changes.announce(actor.user_id)
        await self.audit.record(
            AuditAction.SESSION_REVOKED,
            actor_id=actor.user_id,
            subject_id=actor.user_id,
            client=actor.client,
            data={"session_id": str(session_id)},
        )
        await self.unit.commit()


@dataclass(frozen=True, slots=True)
class RevokeSessions:
    """End an account's sessions but the one that asks: one's own, or for who may change accounts anybody's."""

    sessions: SessionRepository
    standing_changes: StandingChanges
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, user_id: UserId) -> int:
        """Return how many sessions ended; raises PermissionDenied."""
        actor.require(Permission.CREDENTIALS)
        if user_id != actor.user_id:
            actor.require(Permission.USERS_WRITE)
        ended = await self.sessions.revoke_all(user_id, now=self.clock.now(), but=actor.session_id)
        if ended:
            await self.standing_changes.announce(user_id)
            await self.audit.record(
                AuditAction.SESSION_REVOKED,
                actor_id=actor.user_id,
                subject_id=user_id,
                client=actor.client,
                data={"sessions": str(ended)},
            )
            await self.unit.commit()
        return ended

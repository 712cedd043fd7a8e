"""Staying signed in, and signing out."""

from dataclasses import dataclass

from application.auth.issue import TokenIssuer
from application.auth.ports import RefreshTokens, SessionRepository
from application.auth.views import Tokens
from application.ports import Clock, StandingChanges, Throttle, UnitOfWork
from application.throttling import REFRESH_BY_SESSION
from domain.access import Actor, Permission
from domain.auth.errors import InvalidRefreshToken
from domain.auth.session import SessionLifetimes


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

    sessions: SessionRepository
    refresh_tokens: RefreshTokens
    throttle: Throttle
    issuer: TokenIssuer
    lifetimes: SessionLifetimes
    standing_changes: StandingChanges
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, refresh_token: str) -> Tokens:
        """Return new tokens; raises InvalidRefreshToken, after having ended the session durably if it was reused."""
        session_id, counter = self.refresh_tokens.read(refresh_token)
        # Only who holds a token that Portico made gets here: nobody else can use up a session's tries.
        await self.throttle.take(REFRESH_BY_SESSION, str(session_id))
        now = self.clock.now()
        session = await self.sessions.rotate(session_id, counter, idle_expires_at=now + self.lifetimes.idle, now=now)
        if session is not None:
            await self.unit.commit()
            return await self.issuer.issue(session, now=now)

        session = await self.sessions.find(session_id)
        if session is None or not session.is_live(now) or counter >= session.counter:
            raise InvalidRefreshToken
        if session.answers_again(counter, grace=self.lifetimes.refresh_grace, now=now):
            return await self.issuer.issue(session, now=now)
        await self.sessions.revoke(session.id, now=now)
        await self.standing_changes.announce(session.user_id)
        # Committed before the error is raised: the answer is a refusal, the revocation must stay.
        await self.unit.commit()
        raise InvalidRefreshToken


@dataclass(frozen=True, slots=True)
class SignOut:
    """End the session that the actor came with: its refresh token, and its access token at once."""

    sessions: SessionRepository
    standing_changes: StandingChanges
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor) -> None:
        """End it; raises PermissionDenied."""
        actor.require(Permission.CREDENTIALS)
        if actor.session_id is not None:
            await self.sessions.revoke(actor.session_id, now=self.clock.now())
            await self.standing_changes.announce(actor.user_id)
            await self.unit.commit()

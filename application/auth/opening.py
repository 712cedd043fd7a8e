"""Opening a session: the step in which each way to sign in ends."""

from dataclasses import dataclass

from application.auth.ports import SessionRepository
from application.ports import Clock, NewId, StandingChanges
from domain.access import Client
from domain.auth.session import SESSIONS_MAX, Session, SessionLifetimes
from domain.ids import SessionId, UserId


@dataclass(frozen=True, slots=True)
class SessionOpener:
    """Opens sessions, never more than so many at once for one account (ASVS 5.0 7.1.2)."""

    sessions: SessionRepository
    lifetimes: SessionLifetimes
    standing_changes: StandingChanges
    clock: Clock
    new_id: NewId

    async def open(self, user_id: UserId, *, client: Client) -> Session:
        """Return a new session, having ended the oldest ones; the caller has the account locked, and commits."""
        now = self.clock.now()
        session = Session.open(
            SessionId(self.new_id()), user_id=user_id, client=client, lifetimes=self.lifetimes, now=now
        )
        await self.sessions.add(session)
        if await self.sessions.revoke_oldest(user_id, keep=SESSIONS_MAX, now=now):
            await self.standing_changes.announce(user_id)
        return session

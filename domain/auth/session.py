"""A session: one sign-in on one device, kept alive by rotating its refresh token (RFC 9700 section 4.14.2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from domain.access import Client
from domain.ids import SessionId, UserId

SESSIONS_MAX = 20
"""Live ones of an account at once; signing in once more ends the oldest."""


@dataclass(frozen=True, slots=True)
class SessionLifetimes:
    """How long things last; the owner of the installation decides."""

    access_token: timedelta
    idle: timedelta
    absolute: timedelta
    refresh_grace: timedelta


@dataclass(slots=True, kw_only=True)
class Session:
    """Lives until it is revoked, idle for too long, or too old. `counter` numbers its refresh tokens."""

    id: SessionId
    user_id: UserId
    counter: int
    created_at: datetime
    last_used_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    ip: str | None
    user_agent: str | None

    @classmethod
    def open(
        cls, session_id: SessionId, *, user_id: UserId, client: Client, lifetimes: SessionLifetimes, now: datetime
    ) -> Self:
        """Begin a session with its first refresh token."""
        return cls(
            id=session_id,
            user_id=user_id,
            counter=1,
            created_at=now,
            last_used_at=now,
            idle_expires_at=min(now + lifetimes.idle, now + lifetimes.absolute),
            expires_at=now + lifetimes.absolute,
            revoked_at=None,
            ip=client.ip,
            user_agent=client.user_agent,
        )

    def is_live(self, now: datetime) -> bool:
        """Tell whether it can still be used."""
        return self.revoked_at is None and now < self.idle_expires_at and now < self.expires_at

    def answers_again(self, counter: int, *, grace: timedelta, now: datetime) -> bool:
        """Tell whether the token just spent may have its successor once more: two tabs, or an answer that got lost."""
        return counter == self.counter - 1 and now - self.last_used_at < grace

    def revoke(self, now: datetime) -> None:
        """End it for good."""
        if self.revoked_at is None:
            self.revoked_at = now

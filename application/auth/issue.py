"""Handing out tokens: the last step of each way to sign in or stay signed in.

It comes after the commit: signing needs no transaction, and if it fails, the grace lets the caller ask again.
"""

from dataclasses import dataclass
from datetime import datetime

from application.auth.ports import RefreshTokens
from application.auth.signing_ports import AccessTokens
from application.auth.views import Tokens
from domain.auth.session import Session, SessionLifetimes


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Makes the tokens of a session."""

    access_tokens: AccessTokens
    refresh_tokens: RefreshTokens
    lifetimes: SessionLifetimes

    async def issue(self, session: Session, *, now: datetime) -> Tokens:
        """Return a new access token, never outliving the session, and the session's current refresh token."""
        expires_at = min(now + self.lifetimes.access_token, session.expires_at)
        return Tokens(
            access_token=await self.access_tokens.issue(
                user_id=session.user_id, session_id=session.id, expires_at=expires_at
            ),
            expires_in=int((expires_at - now).total_seconds()),
            refresh_token=self.refresh_tokens.issue(session.id, session.counter),
            refresh_expires_in=int((session.idle_expires_at - now).total_seconds()),
            session_id=session.id,
        )

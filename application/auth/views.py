"""What a sign-in gives back, and how sessions are shown."""

from dataclasses import dataclass
from datetime import datetime

from domain.ids import SessionId


@dataclass(kw_only=True)
class Tokens:
    """An access token for the API and a refresh token for the next one (RFC 6749 section 5.1). Lifetimes in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int
    session_id: SessionId
    token_type: str = "Bearer"  # noqa: S105 - the name of the scheme (RFC 6750), not a secret


@dataclass
class SessionView:
    """A live session; `last_used_at` is when it was opened or last refreshed."""

    id: SessionId
    created_at: datetime
    last_used_at: datetime
    ip: str | None
    user_agent: str | None
    current: bool

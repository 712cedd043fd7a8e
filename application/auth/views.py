"""What authentication gives back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from domain.access import Scope
from domain.auth.api_key import ApiKey, ApiKeyText
from domain.ids import ApiKeyId, SessionId, UserId


@dataclass(kw_only=True)
class Tokens:
    """An access token for the API and a refresh token for the next one (RFC 6749 section 5.1). Lifetimes in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int
    session_id: SessionId
    token_type: str = "Bearer"  # noqa: S105 - the name of the scheme (RFC 6750), not a secret


@dataclass(kw_only=True)
class MfaRequired:
    """The password was right; the tokens come for this token and a code of the second factor."""

    mfa_token: str
    mfa_required: Literal[True] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpSecret:
    """A new TOTP seed, as text to type and as the URI that a QR code holds."""

    secret: str
    otpauth_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodes:
    """Codes for when the authenticator is out of reach. Each works once, and they are shown this once."""

    recovery_codes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyView:
    """An API key, without the key."""

    id: ApiKeyId
    owner_id: UserId
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey(ApiKeyView):
    """A new API key with the key, which is shown this once."""

    key: str

    @classmethod
    def of(cls, key: ApiKey, text: ApiKeyText) -> Self:
        """Show a new key."""
        return cls(
            id=key.id,
            owner_id=key.owner_id,
            name=key.name,
            prefix=key.prefix,
            scopes=key.scopes,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            key=text,
        )


@dataclass
class SessionView:
    """A live session; `last_used_at` is when it was opened or last refreshed."""

    id: SessionId
    created_at: datetime
    last_used_at: datetime
    ip: str | None
    user_agent: str | None
    current: bool

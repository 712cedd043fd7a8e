"""Refresh tokens of the form `sid.counter.mac`."""

import base64
import hmac
import re
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from adapters.security.secrets import SecretKey
from application.auth.ports import RefreshTokens
from domain.auth.errors import InvalidRefreshToken
from domain.ids import SessionId

_FORM = re.compile(r"(([0-9a-f]{32})\.([1-9][0-9]{0,17}))\.[A-Za-z0-9_-]{43}", re.ASCII)


class HmacRefreshTokens(RefreshTokens):
    """The token is its own proof (HMAC-SHA-256 under a key of this purpose), so nothing secret is stored for it."""

    def __init__(self, secret_key: SecretKey) -> None:
        # Made once, and copied: OpenSSL takes longer to look up its algorithm than to use it.
        self._mac = HMAC(secret_key.derive("refresh token"), SHA256())

    def issue(self, session_id: SessionId, counter: int) -> str:
        return self._signed(f"{session_id.hex}.{counter}")

    def read(self, token: str) -> tuple[SessionId, int]:
        form = _FORM.fullmatch(token)
        # The whole token is made again and compared as text: no second spelling of it is accepted.
        if form is None or not hmac.compare_digest(self._signed(form[1]), token):
            raise InvalidRefreshToken
        return SessionId(UUID(form[2])), int(form[3])

    def _signed(self, body: str) -> str:
        mac = self._mac.copy()
        mac.update(body.encode())
        return f"{body}.{base64.urlsafe_b64encode(mac.finalize()).rstrip(b'=').decode()}"

"""Access tokens: JWTs signed with Ed25519 (RFC 9068, RFC 8725, RFC 8037), verified by joserfc."""

import asyncio
import base64
import binascii
import json
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

import msgspec
import uuid_utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jwt import JWTClaimsRegistry

from adapters.security.cipher import Cipher
from adapters.security.signing_keys import ALGORITHM, Ed25519Keys
from application.auth.signing_ports import AccessClaims, AccessTokens, SigningKey, SigningKeyStore
from application.ports import Clock
from domain.auth.errors import InvalidAccessToken
from domain.errors import Unavailable
from domain.ids import SessionId, UserId

TYPE = "at+jwt"
LEEWAY = 5
"""Seconds by which clocks may differ."""

TOKEN_MAX = 4096
"""Bytes; a longer token is refused before it is parsed."""

_MOST_VERIFIED = 50_000
_LOOK_AGAIN_AFTER = timedelta(seconds=5)
"""A key that is retired is refused everywhere as soon as a session that is revoked."""
_UNKNOWN_KEY_LOOK_AGAIN_AFTER = timedelta(seconds=1)
_encode = msgspec.json.Encoder().encode
_HEADER = {"alg", "typ", "kid"}


class Ed25519AccessTokens(AccessTokens):
    """Signs with the newest active key, and remembers which tokens it has verified."""

    def __init__(self, store: SigningKeyStore, cipher: Cipher, clock: Clock, *, issuer: str, audience: str) -> None:
        self._store = store
        self._maker = Ed25519Keys(cipher)
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._registry = JWTClaimsRegistry(
            leeway=LEEWAY,
            now=lambda: int(self._clock.now().timestamp()),
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            sid={"essential": True},
            jti={"essential": True},
        )
        self._verified: OrderedDict[str, AccessClaims] = OrderedDict()
        self._keys: list[SigningKey] = []
        self._pairs: dict[str, OKPKey] = {}
        self._accepted: set[str] = set()
        self._looked_at: datetime | None = None
        self._looking = asyncio.Lock()

    async def prepare(self) -> None:
        await self._look(self._clock.now(), again_after=_LOOK_AGAIN_AFTER)
        if not self._keys:
            await self._first_key()

    async def issue(self, *, user_id: UserId, session_id: SessionId, expires_at: datetime) -> str:
        now = self._clock.now()
        key = await self._active_key(now)
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id,
            "sid": session_id,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "jti": str(uuid_utils.uuid7()),
        }
        return _signed(claims, self._pairs[key.kid], kid=key.kid)

    async def read(self, token: str) -> AccessClaims:
        if token in self._verified:
            # Forgets what was verified if a key has been retired meanwhile.
            await self._look(self._clock.now(), again_after=_LOOK_AGAIN_AFTER)
        claims = self._verified.get(token)
        if claims is None:
            claims = await self._verify(token)
            self._verified[token] = claims
            if len(self._verified) > _MOST_VERIFIED:
                self._verified.popitem(last=False)
        if claims.expires_at + timedelta(seconds=LEEWAY) <= self._clock.now():
            raise InvalidAccessToken
        return claims

    async def jwks(self) -> dict[str, list[dict[str, str]]]:
        now = self._clock.now()
        await self._look(now, again_after=_LOOK_AGAIN_AFTER)
        return {"keys": [json.loads(key.public_jwk) for key in self._keys if not key.is_retired(now)]}

    async def _verify(self, token: str) -> AccessClaims:
        if len(token) > TOKEN_MAX or not token.isascii():
            raise InvalidAccessToken
        key = await self._key_of(token)
        try:
            decoded = jwt.decode(token, key, algorithms=[ALGORITHM])
            self._registry.validate(decoded.claims)
            claims = decoded.claims
            return AccessClaims(
                user_id=UserId(UUID(claims["sub"])),
                session_id=SessionId(UUID(claims["sid"])),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
        except (JoseError, ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
            raise InvalidAccessToken from error

    async def _key_of(self, token: str) -> OKPKey:
        """Return the key that the token names, having refused all that Portico never writes."""
        try:
            head, _, signature = token.split(".")
            header = json.loads(_decode(head))
        except (ValueError, RecursionError) as error:
            raise InvalidAccessToken from error
        if (
            not _is_canonical(signature)
            or not isinstance(header, dict)
            or header.keys() != _HEADER
            or header["alg"] != ALGORITHM
            or header["typ"] != TYPE
            or not isinstance(header["kid"], str)
        ):
            raise InvalidAccessToken
        now = self._clock.now()
        await self._look(now, again_after=_LOOK_AGAIN_AFTER)
        if header["kid"] not in self._pairs:
            # Perhaps another process has made a new key. Guesses must not make this a query each.
            await self._look(now, again_after=_UNKNOWN_KEY_LOOK_AGAIN_AFTER)
        pair = self._pairs.get(header["kid"])
        if pair is None or any(key.kid == header["kid"] and key.is_retired(now) for key in self._keys):
            raise InvalidAccessToken
        return pair

    async def _active_key(self, now: datetime) -> SigningKey:
        await self._look(now, again_after=_LOOK_AGAIN_AFTER)
        return self._newest_active(now) or await self._first_key()

    async def _first_key(self) -> SigningKey:
        """Add a key unless somebody has, and return the one that is active then. Raises Unavailable."""
        # A look that began before the key was added must not end after: it would be taken for the latest.
        async with self._looking:
            now = self._clock.now()
            key = self._newest_active(now)
            if key is None:
                await self._store.add_first(self._maker.make(now=now, activates_at=now))
                # Another process may have been first, with a key that is active only since then.
                now = self._clock.now()
                await self._load(now)
                key = self._newest_active(now)
        if key is None:
            raise Unavailable("No signing key is active. Run: portico keys rotate")
        return key

    def _newest_active(self, now: datetime) -> SigningKey | None:
        active = (key for key in self._keys if key.is_active(now))
        return max(active, key=lambda key: (key.activates_at, key.kid), default=None)

    async def _look(self, now: datetime, *, again_after: timedelta) -> None:
        """Load the keys unless that was done lately."""
        if self._looked_at is not None and now - self._looked_at < again_after:
            return
        async with self._looking:
            if self._looked_at is not None and now - self._looked_at < again_after:
                return
            await self._load(now)

    async def _load(self, now: datetime) -> None:
        keys = await self._store.all()
        self._pairs = {key.kid: self._pairs.get(key.kid) or self._maker.open(key) for key in keys}
        accepted = {key.kid for key in keys if not key.is_retired(now)}
        if accepted != self._accepted:
            self._verified.clear()
            self._accepted = accepted
        self._keys = keys
        self._looked_at = now


def _signed(claims: Mapping[str, object], pair: OKPKey, *, kid: str) -> str:
    """Return a JWS in its compact form (RFC 7515 section 7.1).

    The library would look for what may be wrong with a header and a key, which are Portico's own here, for half as
    long as it takes to sign.
    """
    private_key = pair.private_key
    assert isinstance(private_key, Ed25519PrivateKey)
    signed = b"%b.%b" % (_header(kid), _base64url(_encode(claims)))
    return (b"%b.%b" % (signed, _base64url(private_key.sign(signed)))).decode()


@lru_cache(maxsize=8)
def _header(kid: str) -> bytes:
    return _base64url(_encode({"alg": ALGORITHM, "typ": TYPE, "kid": kid}))


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _decode(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(part) from error


def _is_canonical(part: str) -> bool:
    """Base64url leaves bits unused at the end; a signature spelled with other ones must not pass."""
    try:
        return _base64url(_decode(part)).decode() == part
    except ValueError:
        return False

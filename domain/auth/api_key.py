"""API keys: what programs present in place of a session's token.

A key is `ptk_`, 22 digits of id, 43 of secret (256 bits) and 6 of checksum, all base 62. The mark and the checksum let
secret scanners find keys that leaked and tell them from lookalikes; the checksum also spares us looking those up.
"""

import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NewType, Self

from domain import base62
from domain.access import Scope
from domain.errors import FieldError, Invalid
from domain.ids import ApiKeyId, UserId
from domain.text import parse_line

ApiKeyText = NewType("ApiKeyText", str)
"""A whole key, well-formed, as its owner sees it once."""

API_KEY_MARK = "ptk_"
API_KEY_SECRET_BYTES = 32
API_KEY_NAME_MAX = 100
API_KEY_LIFETIME_MAX = timedelta(days=365)
"""Every key ends; one made without an end gets this one."""
API_KEYS_MAX = 50
"""Per account, those that have expired but were not revoked included."""

_ID_WIDTH = 22
_SECRET_WIDTH = 43
_CHECKSUM_WIDTH = 6
_PREFIX_LENGTH = 20
_FORM = re.compile(rf"{API_KEY_MARK}[0-9A-Za-z]{{{_ID_WIDTH + _SECRET_WIDTH + _CHECKSUM_WIDTH}}}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A program's key to its owner's account. Of the key itself only a digest is kept, and how it begins."""

    id: ApiKeyId
    owner_id: UserId
    name: str
    prefix: str
    digest: bytes
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    @classmethod
    def make(
        cls,
        key_id: ApiKeyId,
        *,
        owner_id: UserId,
        name: str,
        scopes: Iterable[str],
        expires_at: datetime | None,
        secret: bytes,
        now: datetime,
    ) -> tuple[Self, ApiKeyText]:
        """Return a new key's entity, and the key; raises Invalid."""
        text = _spell(key_id, secret)
        key = cls(
            id=key_id,
            owner_id=owner_id,
            name=parse_line(name, field="name", longest=API_KEY_NAME_MAX),
            prefix=text[:_PREFIX_LENGTH],
            digest=digest_api_key(text),
            scopes=parse_scopes(scopes),
            created_at=now,
            expires_at=_parse_end(expires_at, now=now),
        )
        return key, text


def _spell(key_id: ApiKeyId, secret: bytes) -> ApiKeyText:
    body = (
        API_KEY_MARK
        + base62.encode(key_id.int, width=_ID_WIDTH)
        + base62.encode(int.from_bytes(secret), width=_SECRET_WIDTH)
    )
    return ApiKeyText(body + _checksum(body))


def _checksum(body: str) -> str:
    return base62.encode(zlib.crc32(body.encode()), width=_CHECKSUM_WIDTH)


def is_api_key(credential: str) -> bool:
    """Tell whether a credential wants to be an API key."""
    return credential.startswith(API_KEY_MARK)


def parse_api_key(text: str) -> ApiKeyText | None:
    """Return the key if it is well-formed and its checksum right, else None."""
    if not _FORM.fullmatch(text) or _checksum(text[:-_CHECKSUM_WIDTH]) != text[-_CHECKSUM_WIDTH:]:
        return None
    return ApiKeyText(text)


def digest_api_key(text: ApiKeyText) -> bytes:
    """Return what is stored of a key. Nobody can guess 256 bits, so it needs no salt and no slow hash."""
    return hashlib.sha256(text.encode()).digest()


def parse_scopes(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """Return the scopes, at least one, each once and in the order in which they are declared; raises Invalid."""
    given = set(scopes)
    unknown = given.difference(Scope)
    if unknown or not given:
        raise Invalid(FieldError("scopes", f"must be some of {', '.join(Scope)}"))
    return tuple(scope for scope in Scope if scope in given)


def _parse_end(expires_at: datetime | None, *, now: datetime) -> datetime:
    latest = now + API_KEY_LIFETIME_MAX
    if expires_at is None:
        return latest
    if expires_at.tzinfo is None:
        raise Invalid(FieldError("expires_at", "must say its offset from UTC, as 2030-01-31T12:00:00Z does"))
    if not now < expires_at <= latest:
        raise Invalid(FieldError("expires_at", f"must be in the future, at most {API_KEY_LIFETIME_MAX.days} days off"))
    return expires_at.astimezone(UTC)

"""The second factor: time-based codes (RFC 6238), and recovery codes for when those are out of reach."""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType, Self
from uuid import UUID

from domain import base62
from domain.ids import MfaChallengeId, UserId

TotpCode = NewType("TotpCode", str)
RecoveryCode = NewType("RecoveryCode", str)
"""In the form without hyphens; `show_recovery_code` writes it for people."""

RECOVERY_CODES = 10
RECOVERY_CODE_BYTES = 15
"""120 bits: from 112 on a plain hash is enough to store them (ASVS 5.0 6.5.2)."""

CHALLENGE_LIFETIME = timedelta(minutes=5)
CHALLENGE_ATTEMPTS = 5
CHALLENGE_SECRET_BYTES = 32

_TOTP_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_RECOVERY_CODE = re.compile(r"[A-Z2-7]{24}", re.ASCII)
_GROUP = 4
_MARK = "mfa_"
_ID_WIDTH = 22
_SECRET_WIDTH = 43
_MFA_TOKEN = re.compile(rf"{_MARK}([0-9A-Za-z]{{{_ID_WIDTH}}})[0-9A-Za-z]{{{_SECRET_WIDTH}}}", re.ASCII)
_ID_BITS = 128


class CodeKind(StrEnum):
    """By what a second factor was shown."""

    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"


def parse_totp_code(text: str) -> TotpCode | None:
    """Return the six digits, typed with or without spaces; None for anything else."""
    code = _typed(text)
    return TotpCode(code) if _TOTP_CODE.fullmatch(code) else None


def parse_recovery_code(text: str) -> RecoveryCode | None:
    """Return the recovery code, typed in whatever case, with or without hyphens and spaces; None for anything else."""
    code = _typed(text)
    return RecoveryCode(code) if _RECOVERY_CODE.fullmatch(code) else None


def _typed(text: str) -> str:
    return text.replace(" ", "").replace("-", "").upper() if text.isascii() else ""


def make_recovery_code(entropy: bytes) -> RecoveryCode:
    """Return the recovery code that these RECOVERY_CODE_BYTES are."""
    return RecoveryCode(base64.b32encode(entropy).decode())


def show_recovery_code(code: RecoveryCode) -> str:
    """Return the code in groups of four, as people copy it."""
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def digest_recovery_code(code: RecoveryCode) -> bytes:
    """Return what is stored of a recovery code."""
    return hashlib.sha256(code.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpFactor:
    """An account's TOTP seed, sealed: pending until a first code confirmed it, on from then on."""

    user_id: UserId
    sealed_seed: bytes
    created_at: datetime
    confirmed_at: datetime | None = None
    last_step: int | None = None
    """The last time step of which a code was accepted; none is accepted twice (RFC 6238 section 5.2)."""

    @property
    def is_on(self) -> bool:
        """Whether a sign-in needs a code."""
        return self.confirmed_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class MfaChallenge:
    """The half of a sign-in that knew the password, waiting for a code. Of its token only a digest is kept."""

    id: MfaChallengeId
    user_id: UserId
    digest: bytes
    created_at: datetime
    expires_at: datetime
    attempts: int = 0
    consumed_at: datetime | None = None

    @classmethod
    def open(
        cls, challenge_id: MfaChallengeId, *, user_id: UserId, password_hash: str, secret: bytes, now: datetime
    ) -> tuple[Self, str]:
        """Return a challenge and its token, which dies with the password that it was given for."""
        token = (
            _MARK
            + base62.encode(challenge_id.int, width=_ID_WIDTH)
            + base62.encode(int.from_bytes(secret), width=_SECRET_WIDTH)
        )
        challenge = cls(
            id=challenge_id,
            user_id=user_id,
            digest=digest_mfa_token(token, password_hash=password_hash),
            created_at=now,
            expires_at=now + CHALLENGE_LIFETIME,
        )
        return challenge, token


def parse_mfa_token(token: str) -> MfaChallengeId | None:
    """Return the id of the challenge that a token names; None for what never was a token."""
    form = _MFA_TOKEN.fullmatch(token)
    number = base62.decode(form[1]) if form else 1 << _ID_BITS
    return None if number >> _ID_BITS else MfaChallengeId(UUID(int=number))


def digest_mfa_token(token: str, *, password_hash: str) -> bytes:
    """Return what is stored of a challenge's token."""
    return hashlib.sha256(f"{token}\x00{password_hash}".encode()).digest()

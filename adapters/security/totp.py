"""Time-based one-time passwords through pyotp (RFC 6238), with the parameters that every authenticator knows."""

import base64
import hmac
from datetime import datetime

import pyotp

from adapters.security.cipher import Cipher, UnsealableError
from application.auth.ports import RandomBytes
from application.auth.two_factor_ports import TotpCodes, TotpEnrolment
from domain.auth.two_factor import TotpCode, TotpFactor
from domain.errors import Unavailable
from domain.ids import UserId

SEED_BYTES = 20
"""160 bits, as RFC 4226 section 4 recommends."""
STEP_SECONDS = 30
TOLERATED_STEPS = (1, 0, -1)
"""The clocks of phones and the fingers of people are off by a step at most (RFC 6238 section 5.2); later ones first."""


class ForeignSeed(Unavailable):
    """The second factor can't be checked."""

    detail = "The second factors in the database were sealed under another PORTICO_SECRET_KEY. Set that one."


class PyotpTotpCodes(TotpCodes):
    """SHA-1, six digits, 30 seconds. Seeds are sealed for their owner: swapped rows can't be opened."""

    def __init__(self, cipher: Cipher, random_bytes: RandomBytes, *, issuer: str) -> None:
        self._cipher = cipher
        self._random_bytes = random_bytes
        self._issuer = issuer

    def enrol(self, user_id: UserId, *, account: str) -> TotpEnrolment:
        seed = self._random_bytes(SEED_BYTES)
        totp = _totp(seed)
        return TotpEnrolment(
            sealed_seed=self._cipher.seal(seed, context=str(user_id)),
            secret=totp.secret,
            otpauth_uri=totp.provisioning_uri(name=account, issuer_name=self._issuer),
        )

    def step_of(self, factor: TotpFactor, code: TotpCode, *, now: datetime) -> int | None:
        try:
            totp = _totp(self._cipher.open(factor.sealed_seed, context=str(factor.user_id)))
        except UnsealableError as error:
            raise ForeignSeed from error
        present = int(now.timestamp()) // STEP_SECONDS
        matching = [
            present + offset
            for offset in TOLERATED_STEPS
            if hmac.compare_digest(totp.generate_otp(present + offset), code)
        ]
        return matching[0] if matching else None


def _totp(seed: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(base64.b32encode(seed).decode(), interval=STEP_SECONDS)

"""Keys derived from PORTICO_SECRET_KEY, each for one purpose (RFC 5869)."""

import hashlib
import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class SecretKey:
    """The installation's one secret. Never used itself; every purpose gets a key of its own."""

    secret: bytes = field(repr=False)

    def derive(self, purpose: str) -> bytes:
        """Return the 256-bit key for a purpose."""
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"portico {purpose}".encode()).derive(
            self.secret
        )

    @property
    def id(self) -> bytes:
        """Four bytes that tell one secret from another and nothing about it."""
        return hmac.new(self.derive("key id"), b"", hashlib.sha256).digest()[:4]

"""Sealing what is stored: AES-256-GCM (NIST SP 800-38D)."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.security.secrets import SecretKey
from application.outbox import Sealer, Unsealable

_FORMAT = b"\x01"
_NONCE_BYTES = 12


class UnsealableError(Unsealable):
    """This was sealed under another PORTICO_SECRET_KEY, or has been tampered with."""


class Cipher(Sealer):
    """Seals small secrets under a key of one purpose: format, key id, nonce, then ciphertext and tag."""

    def __init__(self, secret_key: SecretKey, *, purpose: str) -> None:
        self._aead = AESGCM(secret_key.derive(purpose))
        self._head = _FORMAT + secret_key.id

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Return the sealed plaintext; only the same context opens it, so that sealed values can't be swapped."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._aead.encrypt(nonce, plaintext, context.encode())

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return the plaintext. Raises UnsealableError."""
        head, nonce, body = (
            sealed[: len(self._head)],
            sealed[len(self._head) : len(self._head) + _NONCE_BYTES],
            sealed[len(self._head) + _NONCE_BYTES :],
        )
        if head != self._head:
            raise UnsealableError
        try:
            return self._aead.decrypt(nonce, body, context.encode())
        except (InvalidTag, ValueError):
            # A ValueError says that what was cut off reaches into the nonce.
            raise UnsealableError from None

"""Randomness from the operating system."""

import secrets

from application.auth.ports import RandomBytes


class OsRandomBytes(RandomBytes):
    """The operating system's cryptographic random numbers."""

    def __call__(self, count: int) -> bytes:
        return secrets.token_bytes(count)

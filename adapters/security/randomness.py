"""Randomness from the operating system."""

import secrets

from application.auth.ports import RandomBytes


class SystemRandomBytes(RandomBytes):
    """The operating system's generator, made for secrets."""

    def __call__(self, count: int) -> bytes:
        return secrets.token_bytes(count)

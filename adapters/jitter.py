"""Chance, from the operating system."""

import secrets

from application.mail import Jitter

_BITS = 53


class SystemJitter(Jitter):
    """The operating system's random numbers, so that processes that start together don't share theirs."""

    def __call__(self) -> float:
        return secrets.randbits(_BITS) / (1 << _BITS)

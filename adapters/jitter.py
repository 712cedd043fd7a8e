"""Chance, from the operating system."""

import random

from application.mail import Jitter


class SystemJitter(Jitter):
    """The operating system's random numbers, so that processes that start together don't share theirs."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def __call__(self) -> float:
        return self._random.random()

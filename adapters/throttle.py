"""Throttling that is turned off."""

from application.ports import Throttle
from application.throttling import ThrottleRule


class NullThrottle(Throttle):
    """Counts nothing and refuses nobody: for load tests."""

    async def take(self, rule: ThrottleRule, subject: str) -> None:
        pass

    async def give_back(self, rule: ThrottleRule, subject: str) -> None:
        pass

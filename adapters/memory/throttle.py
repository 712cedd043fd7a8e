"""Throttling in memory."""

import math
from datetime import datetime

from application.ports import Clock, Throttle
from application.throttling import ThrottleRule
from domain.errors import Limited


class MemoryThrottle(Throttle):
    """Counts in this process; one number per rule and subject."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free_at: dict[tuple[str, str], datetime] = {}

    async def take(self, rule: ThrottleRule, subject: str) -> None:
        now = self._clock.now()
        key = (rule.name, subject)
        free_at = max(self._free_at.get(key, now), now) + rule.interval
        latest = now + rule.burst * rule.interval
        if free_at > latest:
            raise Limited(retry_after=max(1, math.ceil((free_at - latest).total_seconds())))
        self._free_at[key] = free_at

    def forget_idle(self, before: datetime, *, limit: int) -> int:
        """Forget up to `limit` subjects who may do as much as anybody since before that moment; return how many."""
        idle = [key for key, free_at in self._free_at.items() if free_at < before][:limit]
        for key in idle:
            del self._free_at[key]
        return len(idle)

    async def give_back(self, rule: ThrottleRule, subject: str) -> None:
        key = (rule.name, subject)
        if key in self._free_at:
            self._free_at[key] -= rule.interval

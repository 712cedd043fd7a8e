"""Waking the relay."""

import asyncio
import contextlib

from application.outbox import MailBell


class EventBell(MailBell):
    """Rings within this process. What rings while nobody listens is heard by the next who does."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def listen(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()

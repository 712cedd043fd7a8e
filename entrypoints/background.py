"""What runs beside the requests, for as long as the application does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

_log = structlog.get_logger("portico.background")


class Housekeeping(Protocol):
    """Keeps this process small, as long as it serves."""

    async def run(self) -> None:
        """Give back memory that was needed and is not any more, until cancelled."""


@asynccontextmanager
async def in_background(run: Callable[[], Awaitable[None]], *, name: str) -> AsyncIterator[None]:
    """Run this meanwhile, and cancel it at the end. If it fails, that is a bug and logged, and the rest goes on."""

    async def guarded() -> None:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - the edge of a task: nobody awaits it before the end
            _log.error("background task failed", task=name, exc_info=error)

    task = asyncio.create_task(guarded(), name=name)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

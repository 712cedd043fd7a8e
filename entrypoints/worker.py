"""What goes on beside requests: delivering mail, purging what expired. Any number of processes may do so at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from dishka import AsyncContainer

from application.mail import DeliverLetters, Delivery
from application.outbox import LetterStatus, MailBell
from application.retention import PURGE_BATCH, PurgeLeftovers
from domain.errors import Unavailable

POLL = 2.0
"""Seconds between looks into the outbox, for letters of other processes and those whose next try is due."""

PURGE_EVERY = 300.0
PURGE_PAUSE = 0.1
"""Seconds between batches, in which others write."""

BACKOFF_MAX = 60.0
GRACE = 10.0
"""Seconds for which a worker that is told to stop may finish sending."""

_log = structlog.get_logger("portico.worker")


class Worker:
    """Works until it is told to stop. Nothing that fails ends it: it logs, waits, and tries again."""

    def __init__(self, deliver_letters: DeliverLetters, purge_leftovers: PurgeLeftovers, bell: MailBell) -> None:
        self._deliver_letters = deliver_letters
        self._purge_leftovers = purge_leftovers
        self._bell = bell
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Work; returns once it was told to stop, and what it was doing is done."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat("deliver letters", self._deliver))
            tasks.create_task(self._repeat("purge", self._purge))

    def stop(self) -> None:
        """Have it finish what it is doing, and begin nothing new."""
        self._stopped.set()
        self._bell.ring()

    async def _repeat(self, job: str, work: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while not self._stopped.is_set():
            try:
                await work()
            except Unavailable as error:
                failures += 1
                _log.warning("the worker waits", job=job, reason=f"{error} ({error.__cause__!r})")
            except Exception:  # noqa: BLE001 - the edge: a bug in one job, or one letter, must not end all that follow
                failures += 1
                _log.exception("the worker failed", job=job)
            else:
                failures = 0
            if failures:
                await self._rest(min(2.0**failures, BACKOFF_MAX))

    async def _deliver(self) -> None:
        deliveries = await self._deliver_letters()
        for delivery in deliveries:
            _tell(delivery)
        if not deliveries:
            await self._bell.listen(POLL)

    async def _purge(self) -> None:
        removed = await self._purge_leftovers()
        if any(removed.values()):
            _log.info("purged", **{leftover: count for leftover, count in removed.items() if count})
        await self._rest(PURGE_PAUSE if PURGE_BATCH in removed.values() else PURGE_EVERY)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()


def _tell(delivery: Delivery) -> None:
    level = {LetterStatus.SENT: "info", LetterStatus.PENDING: "warning", LetterStatus.DEAD: "error"}[delivery.status]
    facts = {"letter": str(delivery.letter_id), "template": delivery.template, "attempts": delivery.attempts}
    if delivery.reason is not None:
        facts["reason"] = delivery.reason
    getattr(_log, level)(f"letter {delivery.status}", **facts)
    if not delivery.is_noted:
        _log.warning("letter was claimed by another relay meanwhile, or removed", letter=str(delivery.letter_id))


@contextlib.asynccontextmanager
async def working(container: AsyncContainer) -> AsyncIterator[None]:
    """Have a worker of this container at work."""
    worker = await container.get(Worker)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        # A letter on which it is cut off stays claimed for a minute; then another try follows, with the same id.
        await asyncio.wait({task}, timeout=GRACE)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

"""Working through what is too much to have in memory at once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any


async def in_batches[Row](
    chunks: AsyncIterable[Sequence[Row]], *, most: int, largest: int, size_of: Callable[[Row], int]
) -> AsyncGenerator[list[Row]]:
    """Yield the rows of all chunks, `most` at a time; fewer at the end, and where they have a size of `largest`."""
    batch: list[Row] = []
    size = 0
    async for chunk in chunks:
        for row in chunk:
            batch.append(row)
            size += size_of(row)
            if len(batch) >= most or size >= largest:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


type Turn = Callable[[], Awaitable[None]]
"""Returns when all parts before one are done with, and raises what kept them from it."""


async def worked_on[Part, Done](
    parts: AsyncGenerator[Part], work: Callable[[Part, Turn], Coroutine[Any, Any, Done]], *, at_once: int
) -> AsyncGenerator[Done]:
    """Yield what becomes of each part, in their order; so many are worked on at a time, while the next is being got.

    Work that waits for its turn before its last step leaves the parts up to some one done, and none behind it.

    Raises what the work on a part raised, after what became of those before it; and what the source raised, after what
    became of all.
    """
    free = asyncio.Semaphore(at_once)
    begun: asyncio.Queue[asyncio.Task[Done] | None] = asyncio.Queue()
    unfinished: set[asyncio.Task[Any]] = set()

    async def begin() -> None:
        task: asyncio.Task[Done] | None = None
        try:
            async for part in parts:
                await free.acquire()
                task = asyncio.create_task(work(part, partial(_ended, task)))
                unfinished.add(task)
                begun.put_nowait(task)
        finally:
            begun.put_nowait(None)

    beginning = asyncio.create_task(begin())
    try:
        while (task := await begun.get()) is not None:
            done = await task
            unfinished.discard(task)
            free.release()
            yield done
        await beginning
    finally:
        unfinished.add(beginning)
        for each in unfinished:
            each.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await parts.aclose()


async def _ended(task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        await asyncio.wait([task])
        task.result()

"""Working through what is too much to have in memory at once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Sequence
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


async def worked_on[Part, Done](
    parts: AsyncGenerator[Part], work: Callable[[Part], Coroutine[Any, Any, Done]], *, at_once: int
) -> AsyncGenerator[Done]:
    """Yield what becomes of each part, in their order; so many are worked on at a time, while the next is being got.

    Raises what the work on a part raised, after what became of those before it; and what the source raised, after what
    became of all.
    """
    free = asyncio.Semaphore(at_once)
    begun: asyncio.Queue[asyncio.Task[Done] | None] = asyncio.Queue()
    unfinished: set[asyncio.Task[Any]] = set()

    async def begin() -> None:
        try:
            async for part in parts:
                await free.acquire()
                task = asyncio.create_task(work(part))
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

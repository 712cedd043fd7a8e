"""Working through what is too much to have in memory at once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence


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


async def read_ahead[Part](parts: AsyncGenerator[Part]) -> AsyncGenerator[Part]:
    """Yield the parts, each while the next is already being got: whoever stores the one need not wait for the other."""
    following = asyncio.create_task(anext(parts, None))
    try:
        while (part := await following) is not None:
            following = asyncio.create_task(anext(parts, None))
            yield part
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await parts.aclose()

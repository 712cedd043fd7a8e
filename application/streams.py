"""Working through what is too much to have in memory at once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence


async def in_batches[Row](chunks: AsyncIterable[Sequence[Row]], *, size: int) -> AsyncGenerator[list[Row]]:
    """Yield the rows of all chunks, `size` at a time; fewer at the end."""
    batch: list[Row] = []
    async for chunk in chunks:
        batch += chunk
        while len(batch) >= size:
            yield batch[:size]
            batch = batch[size:]
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

"""Files that commands read piece by piece, and write whole or not at all. `-` is stdin or stdout."""

import asyncio
import os
import secrets
import select
import stat
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO

import click

from domain.errors import Unavailable

STANDARD = "-"
CHUNK = 1 << 16

readable_file = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True)
writable_file = click.Path(dir_okay=False, writable=True, allow_dash=True)


class FileFails(Unavailable):
    """A file can't be read or written."""

    code = "file_fails"


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file for reading, without a buffer; raises FileFails."""
    with failing_as("read", path):
        if path == STANDARD:
            # Its buffer has a lock, which a thread that waits for input would hold until the process has ended.
            yield getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
            return
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as click gives the path
            yield file


def size_of(file: BinaryIO) -> int | None:
    """Return how many bytes a file has, or None for a pipe, a terminal or a device."""
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


async def chunks_of(file: BinaryIO) -> AsyncGenerator[bytes]:
    """Yield what an opened file has, piece by piece.

    Each is read in a thread of its own that nobody waits for: a command can end while a pipe keeps silent.
    """
    loop = asyncio.get_running_loop()
    while True:
        chunk: asyncio.Future[bytes] = loop.create_future()
        Thread(target=_read, args=(file, chunk), daemon=True).start()
        if not await chunk:
            return
        yield chunk.result()


def _read(file: BinaryIO, chunk: asyncio.Future[bytes]) -> None:
    try:
        while (read := file.read(CHUNK)) is None:
            # Somebody else made the pipe one that does not wait.
            select.select([file], [], [])
        result, error = read, None
    except OSError as raised:
        result, error = b"", raised

    def tell() -> None:
        if chunk.cancelled():
            return
        if error is None:
            chunk.set_result(result)
        else:
            chunk.set_exception(error)

    # Whoever was interrupted has gone, and the loop with them.
    with suppress(RuntimeError):
        chunk.get_loop().call_soon_threadsafe(tell)


@contextmanager
def written(path: str) -> Iterator[BinaryIO]:
    """Open a file for writing; raises FileFails. Until it is written to its end, there is what was there before."""
    with failing_as("write", path):
        if path == STANDARD:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        target = Path(path).resolve()
        if target.exists() and not target.is_file():
            # Nothing can take the place of a pipe or a device.
            with target.open("wb") as file:
                yield file
            return
        draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            with draft.open("xb") as file:
                if target.exists():
                    draft.chmod(stat.S_IMODE(target.stat().st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def failing_as(verb: str, path: str) -> Iterator[None]:
    """Raise FileFails where the system says that it can't do so with this file."""
    try:
        yield
    except BrokenPipeError:
        # The reader of stdout has enough.
        raise
    except OSError as error:
        name = {"read": "stdin", "write": "stdout"}[verb] if path == STANDARD else path
        raise FileFails(f"Can't {verb} {name}: {error.strerror or error}.") from error

"""Files that commands read piece by piece, and write whole or not at all. `-` is stdin or stdout."""

import asyncio
import os
import secrets
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO, Self, TextIO

import click

from domain.errors import Unavailable

STANDARD = "-"
CHUNK = 1 << 16

readable_file = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True)
writable_file = click.Path(dir_okay=False, writable=True, allow_dash=True)


class FileFails(Unavailable):
    """A file can't be read or written."""

    code = "file_fails"


def stdin() -> TextIO:
    """Return stdin; raises FileFails if it is closed."""
    if sys.stdin is None:
        raise FileFails("Can't read stdin: it is closed.")
    return sys.stdin


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file for reading, without a buffer; raises FileFails."""
    with failing_as("read", path):
        if path == STANDARD:
            buffer = stdin().buffer
            # It has a lock, which a thread that waits for input would hold until the process has ended.
            yield getattr(buffer, "raw", buffer)
            return
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as click gives the path
            yield file


def is_same_file(source: str, target: str) -> bool:
    """Tell whether to write the one would destroy the other, which is being read. Devices and pipes keep nothing."""
    try:
        read = os.fstat(stdin().fileno()) if source == STANDARD else Path(source).stat()
        return stat.S_ISREG(read.st_mode) and os.path.samestat(read, Path(target).stat())
    except (FileFails, OSError):
        return False


def has_a_place(path: str) -> bool:
    """Tell whether a file is where others may be put beside it: neither a pipe, nor a device, nor `/dev/stdin`."""
    if path == STANDARD or not Path(path).is_file():
        return False
    # Links there lead to what the process has opened, which can be a regular file.
    folder = Path(path).parent.resolve()
    return folder != Path("/dev") and not folder.is_relative_to("/proc")


class ReadingStopped(Exception):
    """Nobody wants to read on."""


class Chunks:
    """An opened file, to iterate over piece by piece.

    Each is read in a thread of its own that nobody waits for: a command can end while a pipe keeps silent.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._next: asyncio.Future[bytes] | None = None
        self._is_stopped = False
        self.size = _size_of(file)
        """In bytes; None for a pipe, a terminal or a device."""
        self.position = 0
        """How many bytes were read."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._is_stopped:
            raise ReadingStopped
        self._next = asyncio.get_running_loop().create_future()
        Thread(target=_read, args=(self._file, self._next), daemon=True).start()
        chunk = await self._next
        if not chunk:
            raise StopAsyncIteration
        self.position += len(chunk)
        return chunk

    def stop(self) -> None:
        """Raise ReadingStopped where the next piece is awaited, or will be."""
        self._is_stopped = True
        if self._next is not None and not self._next.done():
            self._next.set_exception(ReadingStopped())


def _size_of(file: BinaryIO) -> int | None:
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _read(file: BinaryIO, chunk: asyncio.Future[bytes]) -> None:
    try:
        while (read := file.read(CHUNK)) is None:
            # Somebody else made the pipe one that does not wait.
            select.select([file], [], [])
        error = None
    except OSError as raised:
        read, error = b"", raised

    def tell() -> None:
        if chunk.done():
            return
        if error is None:
            chunk.set_result(read)
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
            with stdout() as out:
                yield out.buffer
                out.buffer.flush()
            return
        if Path(path).exists() and not has_a_place(path):
            # Nothing can take the place of a pipe, a device, or what the process has opened.
            with Path(path).open("ab") as file:
                yield file
            return
        target = Path(path).resolve()
        draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            # Nobody else may read what is only half written, nor what a crash leaves of it.
            with open(draft, "xb", opener=_open_privately) as file:
                yield file
                file.flush()
                os.fchmod(file.fileno(), _mode_of(target))
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


def _open_privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _mode_of(target: Path) -> int:
    """Return the mode of a file; if there is none, the one that a new file has."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    umask = os.umask(0o077)
    os.umask(umask)
    return 0o666 & ~umask


@contextmanager
def stdout() -> Iterator[TextIO]:
    """Provide stdout. Raises FileFails where it can't be written; BrokenPipeError where nobody reads on."""
    if sys.stdout is None:
        raise FileFails("Can't write stdout: it is closed.")
    with failing_as("write", STANDARD):
        try:
            yield sys.stdout
        except OSError:
            give_up(sys.stdout)
            raise


def give_up(stream: TextIO) -> None:
    """Lose what could not be written, which Python would otherwise try once more as it ends, and complain."""
    with suppress(OSError), Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), stream.fileno())


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

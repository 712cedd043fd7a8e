"""Files that commands read and write."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from entrypoints.cli.files import CHUNK, Chunks, FileFails, ReadingStopped, opened, written
from entrypoints.cli.signals import ended_by_signals
from tests.builders import an_email
from tests.cli.conftest import Portico


async def read(path: Path | str) -> bytes:
    with opened(str(path)) as file:
        return b"".join([chunk async for chunk in Chunks(file)])


def fill(folder: Path) -> Path:
    path = folder / "file"
    path.write_text("old")
    return path


async def test_reads_a_file_piece_by_piece(tmp_path: Path) -> None:
    content = os.urandom(2 * CHUNK + 1)
    (tmp_path / "file").write_bytes(content)

    with opened(str(tmp_path / "file")) as file:
        reading = Chunks(file)
        chunks = [chunk async for chunk in reading]

    assert reading.size == reading.position == len(content)
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 1]
    assert b"".join(chunks) == content


@pytest.mark.parametrize("path", ["no/such/file", "."])
async def test_says_what_can_not_be_read(path: str) -> None:
    with pytest.raises(FileFails, match=f"Can't read {path}: .+"):
        await read(path)


@pytest.mark.linux  # which has a file that opens and then can't be read
async def test_says_that_a_file_fails_while_it_is_read() -> None:
    with pytest.raises(FileFails, match=r"Can't read /proc/self/mem: Input/output error\."):
        await read("/proc/self/mem")


async def test_waits_for_a_pipe_that_does_not_wait_itself() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def write() -> None:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(b"late")

    late = threading.Timer(0.1, write)
    late.start()

    with os.fdopen(reader, "rb", buffering=0) as file:
        reading = Chunks(file)
        assert reading.size is None
        assert [chunk async for chunk in reading] == [b"late"]

    late.join()


def test_ends_while_a_pipe_keeps_silent() -> None:
    reader, writer = os.pipe()

    async def give_up() -> None:
        with os.fdopen(reader, "rb", buffering=0) as file, pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(Chunks(file))

    started = time.monotonic()
    asyncio.run(give_up())

    assert time.monotonic() - started < 5
    os.close(writer)


async def test_stops_while_a_pipe_keeps_silent_and_reads_no_more() -> None:
    reader, writer = os.pipe()

    with os.fdopen(reader, "rb", buffering=0) as file:
        chunks = Chunks(file)
        asyncio.get_running_loop().call_later(0.05, chunks.stop)
        with pytest.raises(ReadingStopped):
            await anext(chunks)
        os.write(writer, b"late")
        with pytest.raises(ReadingStopped):
            await anext(chunks)

    os.close(writer)


def test_writes_a_file_of_which_nothing_is_seen_before_its_end(tmp_path: Path) -> None:
    path = fill(tmp_path)
    path.chmod(0o600)

    with written(str(path)) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - names, not paths


def test_lets_nobody_else_read_what_is_half_written(tmp_path: Path) -> None:
    path = fill(tmp_path)
    path.chmod(0o644)
    old = os.umask(0o022)

    try:
        for name in ("file", "new"):
            with written(str(tmp_path / name)) as file:
                (draft,) = tmp_path.glob(f".{name}.*")
                assert draft.stat().st_mode & 0o777 == 0o600
                file.write(b"new")
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(old)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, asyncio.CancelledError, BrokenPipeError])
def test_leaves_what_was_there_when_it_fails_half_way(tmp_path: Path, error: type[BaseException]) -> None:
    path = fill(tmp_path)

    with pytest.raises(error), written(str(path)) as file:
        file.write(b"half")
        raise error

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - names, not paths


def test_leaves_nothing_where_nothing_was_when_the_disk_is_full(tmp_path: Path) -> None:
    path = tmp_path / "file"

    with pytest.raises(FileFails, match=r"Can't write .*file: No space left on device\."), written(str(path)) as file:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    assert list(tmp_path.iterdir()) == []


def test_writes_where_a_link_points(tmp_path: Path) -> None:
    path, link = fill(tmp_path), tmp_path / "link"
    link.symlink_to(path)

    with written(str(link)) as file:
        file.write(b"new")

    assert link.is_symlink()
    assert path.read_text() == "new"


def test_writes_into_a_pipe_and_puts_nothing_in_its_place(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()

    with written(str(pipe)) as file:
        file.write(b"new")

    reader.join()
    assert got == [b"new"]
    assert pipe.is_fifo()


def test_adds_to_what_the_process_has_opened(tmp_path: Path) -> None:
    path = fill(tmp_path)

    with path.open("ab") as opened_before, written(f"/dev/fd/{opened_before.fileno()}") as file:
        file.write(b" and new")

    assert path.read_text() == "old and new"


def test_writes_into_a_pipe_that_the_process_has_opened() -> None:
    reader, writer = os.pipe()

    with os.fdopen(reader, "rb") as read_end:
        with os.fdopen(writer, "wb"), written(f"/dev/fd/{writer}") as file:
            file.write(b"new")
        assert read_end.read() == b"new"


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
@pytest.mark.parametrize("verb", ["import", "export"])
def test_ends_while_it_waits_for_the_other_end_of_a_pipe(portico: Portico, folder: Path, verb: str) -> None:
    os.mkfifo(folder / "pipe")
    signalled = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))
    signalled.start()

    with ended_by_signals():
        ended = portico("items", verb, "pipe", "--format", "ndjson", "--owner", an_email())

    assert ended.code == 128 + signal.SIGTERM


@pytest.mark.parametrize("arguments", [("openapi", "--output"), ("users", "export", "ada@example.org", "--output")])
def test_takes_a_folder_for_misuse(command: Portico, folder: Path, arguments: tuple[str, ...]) -> None:
    assert command(*arguments, str(folder)).code == 2

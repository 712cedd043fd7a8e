"""How far a long command is, told on stderr: as a bar on a terminal, elsewhere on a line every few seconds."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from entrypoints.cli.messages import print_message

EVERY = 5
"""Seconds between lines."""

type Tell = Callable[[int, int], None]
"""Tells with how many rows a command is done, and with how many of the bytes that there are in all."""


@contextmanager
def progress(doing: str, *, size: int | None = None, is_shown: bool = True) -> Iterator[Tell]:
    """Show what is told of what is being done: how many rows a second, and with a size in bytes the time left too."""
    if not is_shown:
        yield _tell_nobody
        return
    is_at_terminal = (
        sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
    )
    with (_bar if is_at_terminal else _lines)(doing, size) as tell:
        yield tell


def _tell_nobody(_rows: int, _done: int) -> None:
    pass


@contextmanager
def _lines(doing: str, size: int | None) -> Iterator[Tell]:
    started = told = time.monotonic()

    def tell(rows: int, done: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < EVERY:
            return
        told = now
        passed = now - started
        parts = [f"{doing}: {rows:,} rows", f"{rows / passed:,.0f} rows/s"]
        if size and done:
            left = timedelta(seconds=round(passed * max(size - done, 0) / done))
            parts += [f"{min(done / size, 1):.0%}", f"{left} left"]
        print_message(", ".join(parts))

    yield tell


@contextmanager
def _bar(doing: str, size: int | None) -> Iterator[Tell]:
    # rich costs 0.2 s, and only people look at bars.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    of_known_size = (TaskProgressColumn(), TimeRemainingColumn(), TextColumn("left"))
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f} rows/s"),
        *(of_known_size if size else [TimeElapsedColumn()]),
        console=Console(stderr=True),
        redirect_stdout=False,
    )
    started = time.monotonic()
    with bar:
        task = bar.add_task(doing, total=size or None, rows=0, rate=0)

        def tell(rows: int, done: int) -> None:
            bar.update(task, completed=done, rows=rows, rate=rows / (time.monotonic() - started))

        yield tell

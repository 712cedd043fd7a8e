"""The machine: what it lacks, what it is, which of its cores do what, and what its processes have cost."""

import os
import platform
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from tests.cluster import MISSING, find_programs

_TICKS = os.sysconf("SC_CLK_TCK")


class Machine:
    """A core for the server that is measured; the others are for all that it talks to, and for this process.

    Raises SystemExit with all that is missing.
    """

    def __init__(self) -> None:
        is_linux = sys.platform == "linux"
        cores = sorted(os.sched_getaffinity(0)) if is_linux else []
        needs = [
            ("Linux, which tells what a process costs", is_linux),
            ("two cores: one for the server, one for what it talks to", len(cores) > 1),
            ("wrk, which sends the requests: apt-get install wrk", shutil.which("wrk") is not None),
            (MISSING, find_programs() is not None),
        ]
        if not all(is_met for _, is_met in needs):
            raise SystemExit("\n".join(["Measuring needs", *(f"- {need}" for need, is_met in needs if not is_met)]))
        self._servers, self._others = set(cores[:1]), set(cores[1:])
        os.sched_setaffinity(0, self._others)

    @contextmanager
    def on_server_core(self) -> Iterator[None]:
        """Have what is started here run on the server's core."""
        os.sched_setaffinity(0, self._servers)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self._others)

    @contextmanager
    def on_all_cores(self, process: int) -> Iterator[None]:
        """Have a process, and all that is started here and there, run wherever there is room."""
        apart = self._servers, self._others
        self._servers = self._others = self._servers | self._others
        try:
            for each in (0, process):
                os.sched_setaffinity(each, self._others)
            yield
        finally:
            self._servers, self._others = apart
            for each in (0, process):
                os.sched_setaffinity(each, self._others)


def describe() -> dict[str, str]:
    """Return what the figures depend on."""
    memory = int(_line("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20)
    programs = find_programs()
    assert programs is not None
    return {
        "machine": f"{_line('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores, {memory:.0f} GiB",
        "Linux": platform.release(),
        "Python": platform.python_version(),
        "PostgreSQL": _output(programs / "postgres", "--version").split()[2],
        "SQLite": sqlite3.sqlite_version,
        "granian": version("granian"),
        "wrk": _output("wrk", "-v").split()[1],
        "Portico": _output("git", "describe", "--always", "--dirty"),
    }


def _output(*command: str | Path) -> str:
    # wrk tells its version as if it were an error.
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()  # noqa: S603 - ours


def _line(path: str | Path, name: str) -> str:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(name))


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def cpu_of(process: int) -> float:
    """Return the seconds that a process has computed, and all that it has started."""
    own = _stat(process)
    return (sum(own) + sum(sum(_stat(child)[:2]) for child in children_of(process))) / _TICKS


def _stat(process: int) -> list[int]:
    """Return the time in user and in kernel mode, and that of its children that have ended (proc(5))."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return [0, 0, 0, 0]
    return [int(ticks) for ticks in text.rpartition(")")[2].split()[11:15]]


def children_of(process: int) -> list[int]:
    """Return the ids of the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()]


def memory_of(process: int, name: str) -> float:
    """Return what a process has in memory, in MB: `VmRSS` is all of it, `VmHWM` its peak.

    `Pss` is its share: what it has in common with others is divided by their number.
    """
    file = "smaps_rollup" if name == "Pss" else "status"
    return int(_line(f"/proc/{process}/{file}", f"{name}:").split()[0]) * 1024 / 1e6

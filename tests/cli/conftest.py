"""Commands, given in this process: on a file or a server whose tables are there and empty."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from adapters.clock import SystemClock
from entrypoints.cli.main import run
from entrypoints.settings import Settings
from tests.builders import SECRET_KEY, an_email
from tests.containers import Overrides, container_for

ROOT = Path(__file__).parents[2]

PATIENCE = 30
"""Seconds after which a program that does not do what it should has failed to; a busy machine needs a few."""

PROGRAM = "from entrypoints.cli.main import main; main()"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed as JSON."""
        return msgspec.json.decode(self.out)


type Portico = Callable[..., Outcome]
type Shell = Callable[..., Outcome]
type Start = Callable[..., subprocess.Popen[bytes]]


class Terminal:
    """`sys`, at a terminal."""

    class stdin:  # noqa: N801 - as it is named there
        """Stdin of a person."""

        @staticmethod
        def isatty() -> bool:
            return True


def environ_of() -> dict[str, str]:
    """Return the environment of a program: this one, without settings but the secret."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
    return environ | {"PORTICO_SECRET_KEY": SECRET_KEY, "PYTHONPATH": str(ROOT)}


def an_owner(portico: Portico) -> str:
    """Make an account; return its address."""
    email = an_email()
    assert portico("users", "create", email).code == 0
    return email


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide the working directory, with no setting but the secret."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PORTICO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PORTICO_SECRET_KEY", SECRET_KEY)
    return tmp_path


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Portico:
    """Provide `portico` in an empty folder, as a function of its arguments."""
    assert folder.exists()
    # Pytest's process is not alone, and a fork would tell what it says to nobody.
    monkeypatch.setattr("entrypoints.cli.server.do_apart", lambda work: work())

    def command(*arguments: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return command


@pytest.fixture
def portico(storage: Settings, command: Portico, monkeypatch: pytest.MonkeyPatch) -> Portico:
    """Provide `portico` on a storage, with hashes that cost nothing."""
    monkeypatch.setenv("PORTICO_DATABASE_URL", storage.database_url)
    monkeypatch.setattr(
        "entrypoints.container.make_container", lambda settings: container_for(settings, Overrides(SystemClock()))
    )
    return command


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Provide `portico` as a process, a function of its arguments and of settings, which ends with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, program: str = PROGRAM, **variables: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", program, *arguments],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ_of() | variables,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def shell(folder: Path, storage: Settings) -> Shell:
    """Provide a shell that knows `portico` on a storage, a function of a line and of variables: for redirections."""
    portico = f"portico() {{ {sys.executable} -c '{PROGRAM}' \"$@\"; }}\n"

    def shell(line: str, **variables: str) -> Outcome:
        done = subprocess.run(  # noqa: S603 - our own program
            ["/bin/sh", "-c", portico + line],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            env=environ_of() | {"PORTICO_DATABASE_URL": storage.database_url} | variables,
        )
        return Outcome(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())

    return shell


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Undo what the test does to logging."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    configuration = structlog.get_config()
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    structlog.configure(**configuration)

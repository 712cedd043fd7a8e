"""Commands, given in this process: on a file or a server whose tables are there and empty."""

import io
import logging
import os
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
from tests.builders import SECRET_KEY
from tests.containers import Overrides, container_for


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
def own_logging() -> Iterator[None]:
    """Undo what the test does to logging."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    configuration = structlog.get_config()
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    structlog.configure(**configuration)
    structlog.contextvars.clear_contextvars()

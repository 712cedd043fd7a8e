"""`portico mail` and `portico worker`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar

from application.outbox import LetterQueue
from entrypoints.cli import server
from entrypoints.cli.main import run
from entrypoints.http.middleware import Headers
from entrypoints.settings import Settings
from tests.builders import SECRET_KEY
from tests.containers import container_for, settings_for
from tests.mail.outbox import claim, leave, letters_of
from tests.mail.smtp import a_free_port


@pytest.fixture
def installation(sqlite_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide the folder of an installation, where commands are given and mail goes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTICO_DATABASE_URL", f"sqlite:///{sqlite_copy}")
    monkeypatch.setenv("PORTICO_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("PORTICO_MAIL_URL", f"file://{tmp_path}/mail")
    return tmp_path


def leave_letters(folder: Path, *, dead: int = 0, pending: int = 0) -> list[UUID]:
    """Leave letters in the outbox, the dead ones first; return their ids."""

    async def do() -> list[UUID]:
        container = container_for(settings_for(os.environ["PORTICO_DATABASE_URL"], folder))
        try:
            queue: LetterQueue = await container.get(LetterQueue)
            await leave(container, recipient="ada@example.org", times=dead + pending)
            letters = await letters_of(container)
            for letter in await claim(container, now=letters[-1].created_at, limit=dead):
                await queue.mark_dead(letter, error="no such user")
            return [letter.id for letter in letters]
        finally:
            await container.close()

    return asyncio.run(do())


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_lists_letters_of_a_status(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead, pending = leave_letters(installation, dead=1, pending=1)

    assert run(["mail", "list", "--json"]) == 0
    assert [letter["id"] for letter in printed(capsys)] == [str(dead), str(pending)]
    assert run(["mail", "list", "--status", "dead", "--json"]) == 0
    (letter,) = printed(capsys)
    assert (letter["id"], letter["status"], letter["last_error"]) == (str(dead), "dead", "no such user")
    assert run(["mail", "list", "--limit", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == [str(dead), "dead", "1"]


def test_shows_a_letter_but_not_what_it_says(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (letter_id,) = leave_letters(installation, pending=1)

    assert run(["mail", "show", str(letter_id), "--json"]) == 0

    output = capsys.readouterr().out
    assert json.loads(output)["recipient"] == "ada@example.org"
    assert "s3cr3t" not in output


def test_a_letter_that_is_not_there_is_refused(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del installation

    for command in ("show", "retry"):
        assert run(["mail", command, str(UUID(int=1))]) == 1
        assert "There is no letter with this id" in capsys.readouterr().err


def test_retries_a_letter_or_all_that_are_dead(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = leave_letters(installation, dead=3)

    assert run(["mail", "retry", str(first)]) == 0
    assert capsys.readouterr().err == f"The verify_email letter {first} to ada@example.org will be tried again.\n"
    assert run(["mail", "retry", "--dead"]) == 0
    assert [str(letter) in capsys.readouterr().err for letter in (second,)] == [True]
    assert run(["mail", "list", "--json"]) == 0
    assert [(letter["id"], letter["status"], letter["attempts"]) for letter in printed(capsys)] == [
        (str(letter), "pending", 0) for letter in (first, second, third)
    ]
    assert run(["mail", "retry", "--dead"]) == 0
    assert capsys.readouterr().err == "No letter is dead.\n"


@pytest.mark.parametrize("arguments", [[], [str(UUID(int=1)), "--dead"], ["not-an-id"]])
def test_retry_has_to_be_told_which(
    installation: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    del installation

    assert run(["mail", "retry", *arguments]) == 2
    assert "Usage: portico mail retry" in capsys.readouterr().err


@pytest.mark.process
def test_a_worker_of_its_own_delivers_and_stops_when_told(installation: Path) -> None:
    letters = leave_letters(installation, pending=2)
    folder = installation / "mail"
    command = [sys.executable, "-c", "from entrypoints.cli.main import main; main()", "worker"]

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as worker:  # noqa: S603 - ours
        try:
            assert worker.stderr is not None
            for line in worker.stderr:
                if line.count("letter sent") and len(list(folder.glob("*.eml"))) == len(letters):
                    break
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=20) == 0
        finally:
            worker.kill()

    assert sorted(path.stem for path in folder.iterdir()) == sorted(map(str, letters))


@pytest.mark.parametrize(("options", "works"), [([], True), (["--no-worker"], False)])
def test_the_server_works_unless_it_is_told_not_to(
    installation: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], works: bool
) -> None:
    del installation
    started: dict[str, object] = {}
    monkeypatch.setattr(server, "start", lambda _settings, **given: started.update(given))

    assert run(["serve", "--port", str(a_free_port()), *options]) == 0

    assert started["works"] is works


def test_a_server_hands_the_choice_on_to_its_application(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []

    def create_app(settings: Settings, *, works: bool, **_: Headers) -> Litestar:
        made.append(works)
        return Litestar(debug=settings.docs, logging_config=None)

    monkeypatch.setattr(server, "create_app", create_app)
    monkeypatch.setattr(server, "configure_logging", lambda _settings: None)
    for name in ("gc.freeze", "gc.set_threshold", "signal.signal", "signal.pthread_sigmask"):
        monkeypatch.setattr(name, lambda *_: None)
    monkeypatch.setattr(sys, "platform", "elsewhere")
    settings = settings_for("memory:", installation)

    for works in (True, False):
        server.load_app(settings, works=works)

    assert made == [True, False]

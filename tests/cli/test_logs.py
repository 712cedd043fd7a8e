"""Logs, for people and for machines."""

import io
import json
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from entrypoints.cli.main import main
from entrypoints.logs import REQUEST_ID, AccessLog, configure_logging
from tests.containers import settings_for

pytestmark = pytest.mark.usefixtures("own_logging")

REQUEST: dict[str, Any] = {
    "method": "GET",
    "path": "/api/v1/items",
    "status": 200,
    "milliseconds": 1.5,
    "client": None,
    "request_id": "made-up.1",
}
EVIL = 'x\n{"level": "error"}\r\x1b[2J\u2028\x85\x9b1m'

type Configure = Callable[..., io.StringIO]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture
def configure() -> Configure:
    """Provide logging with these settings, into what it returns."""

    def configure(stream: io.StringIO | None = None, **variables: str) -> io.StringIO:
        stream = stream or io.StringIO()
        configure_logging(settings_for("memory:", **variables), stream)
        return stream

    return configure


def _log() -> Any:
    return structlog.get_logger("portico.test")


def test_writes_text_with_the_time_in_utc(configure: Configure) -> None:
    written = configure(LOG_FORMAT="text")

    _log().info("request", path="/items", who=None, text="two words", empty="")

    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z info     portico\.test: "
        r"request path=/items who=None text='two words' empty=''\n",
        written.getvalue(),
    )


def test_writes_json_lines_with_the_time_in_utc(configure: Configure, tmp_path: Path) -> None:
    written = configure(LOG_FORMAT="json")

    _log().warning("request", status=200, path=tmp_path)

    line = json.loads(written.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "portico.test",
        "event": "request",
        "status": 200,
        "path": str(tmp_path),
    }


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_keeps_an_event_on_its_line_whatever_is_in_it(configure: Configure, log_format: str) -> None:
    written = configure(LOG_FORMAT=log_format)

    _log().info(EVIL, **{"path": EVIL, "k\n": 1})
    logging.getLogger(EVIL).error("%s", EVIL)

    lines = written.getvalue()
    assert len(lines.splitlines()) == 2
    assert all(character.isprintable() or character == "\n" for character in lines)


def test_keeps_a_traceback_from_looking_like_other_lines(configure: Configure) -> None:
    written = configure(LOG_FORMAT="text")

    _log().error("failed", exc_info=ValueError(EVIL))

    first, *others = written.getvalue().splitlines()
    assert first.endswith("portico.test: failed")
    assert others
    assert all(line.startswith("  | ") and line.isprintable() for line in others)


def test_keeps_a_traceback_on_the_line_in_json(configure: Configure) -> None:
    written = configure(LOG_FORMAT="json")

    logging.getLogger("library").error("failed", exc_info=ValueError(EVIL))

    assert EVIL in json.loads(written.getvalue())["exception"]


def test_writes_the_request_id_wherever_the_event_comes_from(configure: Configure) -> None:
    written = configure(LOG_FORMAT="json")
    served = REQUEST_ID.set("abc")
    try:
        _log().info("ours")
        logging.getLogger("library").warning("theirs")
    finally:
        REQUEST_ID.reset(served)

    assert [json.loads(line)["request_id"] for line in written.getvalue().splitlines()] == ["abc", "abc"]


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["ours debug", "ours info", "ours error", "theirs debug", "theirs info", "theirs error"]),
        ("info", ["ours info", "ours error", "theirs error"]),
        ("error", ["ours error", "theirs error"]),
    ],
)
def test_hears_libraries_from_warnings_on(configure: Configure, level: str, heard: list[str]) -> None:
    written = configure(LOG_FORMAT="json", LOG_LEVEL=level)

    for method in ("debug", "info", "error"):
        getattr(_log(), method)(f"ours {method}")
    for method in ("debug", "info", "error"):
        getattr(logging.getLogger("library"), method)(f"theirs {method}")

    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == heard


def test_colours_the_level_on_a_terminal_only(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = configure(Terminal(), LOG_FORMAT="text")
    _log().error("failed")
    file = configure(LOG_FORMAT="text")
    _log().error("failed")

    assert "\x1b[31merror" in terminal.getvalue()
    assert "\x1b" not in file.getvalue()


def test_writes_to_stderr_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings_for("memory:"))

    _log().info("there")

    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("portico.test: there\n")


def test_fails_nobody_whose_event_can_not_be_written(configure: Configure) -> None:
    configure(Broken())

    _log().info("lost")


def test_fails_nobody_whose_message_is_malformed(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    written = configure()

    logging.getLogger("library").error("%d", "no number")

    assert written.getvalue() == ""
    assert "Logging error" in capsys.readouterr().err


def test_files_unusual_levels_under_the_next_lower_one(configure: Configure) -> None:
    written = configure(LOG_FORMAT="json", LOG_LEVEL="debug")

    logging.getLogger("library").log(35, "louder than a warning")
    logging.getLogger("library").log(5, "quieter than debug")

    assert [json.loads(line)["level"] for line in written.getvalue().splitlines()] == ["warning"]


@pytest.mark.parametrize("client", ["2001:db8::1", None, "a proxy's word"])
@pytest.mark.parametrize("path", ["/api/v1/items/~a,b;c&d", "/", "", "/a b", "/a=b", '/"', "/'", "/\x7f", "/é", EVIL])
@pytest.mark.parametrize(("log_format", "coloured"), [("text", False), ("text", True), ("json", False)])
def test_writes_of_a_request_what_an_event_would_say(
    configure: Configure,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    log_format: str,
    coloured: bool,
    path: str,
    client: str | None,
) -> None:
    monkeypatch.setattr("entrypoints.logs._is_coloured", lambda _: coloured)
    fields = REQUEST | {"path": path, "client": client}
    written = configure(LOG_FORMAT=log_format)
    served = REQUEST_ID.set(fields["request_id"])
    try:
        # The id comes from the context, as in all that is written while a request is served.
        structlog.get_logger("portico.access").info("request", **{**fields, "request_id": None})
    finally:
        REQUEST_ID.reset(served)

    AccessLog(settings_for("memory:", LOG_FORMAT=log_format)).request(**fields)

    time = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
    line = capsys.readouterr().err
    assert len(time.findall(line)) == 1
    assert time.sub("", line) == time.sub("", written.getvalue())


@pytest.mark.parametrize(("level", "lines"), [("debug", 1), ("info", 1), ("warning", 0)])
def test_writes_of_requests_where_information_is_heard(
    capsys: pytest.CaptureFixture[str], level: str, lines: int
) -> None:
    AccessLog(settings_for("memory:", LOG_LEVEL=level)).request(**REQUEST)

    assert len(capsys.readouterr().err.splitlines()) == lines


def test_serves_on_where_stderr_can_not_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    log = AccessLog(settings_for("memory:"))
    monkeypatch.setattr(sys, "stderr", Broken())

    log.request(**REQUEST)


def test_is_nothing_to_fail_for_where_stderr_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "argv", ["portico", "--version"])
    with pytest.raises(SystemExit):
        main()

    configure_logging(settings_for("memory:", LOG_FORMAT="text"))
    _log().info("unheard")

"""Logs: a line per event on stderr, for people or for machines, its time in UTC (RFC 3339).

Whatever a caller put into an event, it stays on the event's own line: all that could end a line or speak to a terminal
is escaped (ASVS 5.0 16.4.1). Only text for people has further lines, those of a traceback, and each begins with a bar.
"""

import contextlib
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from entrypoints.settings import LogFormat, Settings

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being served, which each event tells."""

_COLOURS = {"debug": 36, "info": 32, "warning": 33, "error": 31, "critical": 35}
_LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
_BAR = "\n  | "
_is_plain = re.compile(r"[!#-&(-<>-~]+").fullmatch
_encode = msgspec.json.Encoder(enc_hook=str).encode


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Write events from the level of the settings on to the stream (by default stderr), those of libraries alike.

    Libraries are heard from warnings on, and from debug on where that is the level: what they call information is not.
    """
    stream = stream or sys.stderr
    level, render = _level(settings), _renderer(settings, stream)
    structlog.configure(
        processors=[
            _described,
            structlog.processors.format_exc_info,
            lambda _logger, _level, event: render(event),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda name="portico": _Lines(stream, name),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        handlers=[_Forwarder()], level=level if level == logging.DEBUG else max(level, logging.WARNING), force=True
    )


class AccessLog:
    """Writes to stderr of each request what structlog would, which takes longer than many an answer: its chain is long.

    Nothing is written where events of that level are not heard.
    """

    def __init__(self, settings: Settings) -> None:
        self._render = _renderer(settings, sys.stderr)
        self._is_heard = _level(settings) <= logging.INFO
        self._label = (
            _label("info", coloured=_is_coloured(sys.stderr)) if settings.log_format is LogFormat.TEXT else None
        )

    def request(
        self, *, method: str, path: str, status: int, milliseconds: float, client: str | None, request_id: str
    ) -> None:
        """Write what is known of a request that was served."""
        if not self._is_heard:
            return
        # Nearly all are like this: nothing has to be escaped.
        if self._label is not None and path and _is_plain(f"{method}{path}{client}{request_id}"):
            line = (
                f"{_timestamp()} {self._label} portico.access: request method={method} path={path} status={status} "
                f"milliseconds={milliseconds} client={client} request_id={request_id}"
            )
        else:
            fields = {
                "method": method,
                "path": path,
                "status": status,
                "milliseconds": milliseconds,
                "client": client,
                "request_id": request_id,
            }
            line = self._render(_event("info", "portico.access", "request", fields))
        _write(sys.stderr, line)


class _Lines:
    """Writes each event as one line, at once."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.name = name
        self._stream = stream

    def _write(self, line: str) -> None:
        _write(self._stream, line)

    debug = info = warning = error = critical = _write


def _write(stream: TextIO, line: str) -> None:
    try:
        stream.write(line + "\n")
        stream.flush()
    except (OSError, ValueError):
        pass  # A log that can't be written (disk full, reader gone) must not fail what it tells of.


class _Forwarder(logging.Handler):
    """Hands what libraries log to the same processors."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((known for known in _LEVELS if known <= record.levelno), logging.DEBUG)
        try:
            structlog.get_logger(record.name).log(level, record.getMessage(), exc_info=record.exc_info)
        except Exception:  # noqa: BLE001 - as all of logging's handlers do: a bad message must not fail its caller
            self.handleError(record)


def _is_coloured(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


def _level(settings: Settings) -> int:
    return logging.getLevelNamesMapping()[settings.log_level.upper()]


def _described(logger: WrappedLogger, level: str, event: EventDict) -> EventDict:
    return _event(level, logger.name, event.pop("event"), event)


def _event(level: str, logger: str, event: object, fields: Mapping[str, object]) -> EventDict:
    described = {"timestamp": _timestamp(), "level": level, "logger": logger, "event": event, **fields}
    if (request_id := REQUEST_ID.get()) is not None:
        described["request_id"] = request_id
    return described


def _timestamp() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _renderer(settings: Settings, stream: TextIO) -> Callable[[EventDict], str]:
    return _as_json if settings.log_format is LogFormat.JSON else _as_text(coloured=_is_coloured(stream))


def _as_json(event: EventDict) -> str:
    with contextlib.suppress(UnicodeEncodeError, OverflowError):
        line = _encode(event)
        if line.isascii():
            return line.decode()
    return json.dumps(event, default=str)  # slower, and escapes all that is not ASCII, other line ends included


def _label(level: str, *, coloured: bool) -> str:
    label = level.ljust(8)
    return f"\x1b[{_COLOURS[level]}m{label}\x1b[0m" if coloured else label


def _as_text(*, coloured: bool) -> Callable[[EventDict], str]:
    def render(event: EventDict) -> str:
        timestamp, level, logger = event.pop("timestamp"), event.pop("level"), event.pop("logger")
        words = [_escaped(str(event.pop("event")))]
        exception = event.pop("exception", None)
        words += [f"{_escaped(name)}={_value(value)}" for name, value in event.items()]
        line = f"{timestamp} {_label(level, coloured=coloured)} {_escaped(logger)}: {' '.join(words)}"
        return line if exception is None else line + "".join(_BAR + _escaped(part) for part in exception.split("\n"))

    return render


def _value(value: Any) -> str:
    text = str(value)
    return text if text and text.isprintable() and not set(text) & set(" \"'=") else repr(text)


def _escaped(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)

"""Answers in JSON."""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Response
from litestar.types import Receive, Scope, Send

_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Answer[Content](Response[Content]):
    """An answer in JSON with the headers that it is given and no others; bytes are JSON already.

    Litestar's own answers know about cookies, caches, media types and encoders; to make one takes longer than most
    handlers do. This one goes out as it is.
    """

    def __init__(
        self,
        content: Content,
        *,
        status_code: int | None = None,
        headers: dict[str, str] | None = None,
        **_: object,
    ) -> None:
        # What Litestar's constructor would set beside these is for what is not done here.
        self.content = content
        self.status_code = status_code
        self.headers = headers or {}

    def to_asgi_response(  # type: ignore[override] # it is called as an ASGI application, and nothing else
        self, *_: object, status_code: int | None = None, **__: object
    ) -> "_Sendable":
        """Return what sends it, with the handler's status where it has none of its own."""
        status = self.status_code or status_code or HTTPStatus.OK
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        if status in _BODILESS:
            return _Sendable(status, headers, b"")
        content: Any = self.content
        body = content if isinstance(content, bytes) else _encode(content)
        headers += (_JSON, (b"content-length", b"%d" % len(body)))
        return _Sendable(status, headers, body)


class _Sendable:
    """An ASGI application that answers this."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._status = status
        self._headers = headers
        self._body = body

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})

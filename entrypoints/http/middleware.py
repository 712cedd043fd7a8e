"""The edge: one pure ASGI layer around the application, for what every request pays."""

import ipaddress
import re
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
import uuid_utils
from dishka import AsyncContainer
from litestar import HttpMethod
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from entrypoints.http.problems import PROBLEM_JSON, problem_of
from entrypoints.logs import REQUEST_ID, AccessLog
from entrypoints.settings import Settings

API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; sandbox"

type Headers = Iterable[tuple[bytes, bytes]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class Edge:
    """Gives each request an id, a client address, a dependency scope, security headers and a log line.

    The dependency scope ends when the answer begins: whatever it held, a database connection above all, is free
    while a slow client still reads.
    """

    def __init__(self, app: ASGIApp, container: AsyncContainer, settings: Settings, headers: Headers) -> None:
        self._app = app
        self._container = container
        self._trusted = settings.trusted_proxies
        self._hosts = frozenset(host.encode() for host in settings.allowed_hosts)
        self._log = AccessLog(settings)
        self._headers = [*_security_headers(secure=settings.public_url.startswith("https://")), *headers]
        self._names = frozenset(name for name, _ in self._headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if _REQUEST_ID.fullmatch(given) else uuid_utils.uuid7().hex
        client_ip = self._client_ip(scope)
        # A dictionary of this request's own, whatever the server shares among them.
        scope["state"] = {**scope.get("state", {}), "request_id": request_id, "client_ip": client_ip}
        dependencies = self._container({HTTPScope: scope})
        scope["state"]["dishka_container"] = dependencies
        status = 0
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope["method"] = HttpMethod.GET  # RFC 9110 section 9.3.2: the same answer without its content

        # What of the body is not read stays in the connection, and the next request would be lost behind it (RFC 9112
        # section 9.6).
        is_unread = scope["http_version"] == "1.1" and _announces_body(headers)

        async def read() -> Any:
            nonlocal is_unread
            part: Any = await receive()
            is_unread = is_unread and part.get("more_body", False)
            return part

        async def finish(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                closing = [(b"connection", b"close")] if is_unread else []
                message["headers"] = self._complete(message["headers"], request_id) + closing
                await dependencies.close()
                status = int(message["status"])
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        REQUEST_ID.set(request_id)
        try:
            if (refusal := self._refusal(scope, headers)) is not None:
                await _send_problem(finish, *refusal, request_id=request_id)
            else:
                await self._app(scope, read if is_unread else receive, finish)
        finally:
            if not status:
                # No answer began, with which it would have been closed.
                await dependencies.close()
            self._log.request(
                method="HEAD" if is_head else scope["method"],
                path=scope["path"],
                status=status,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
                client=client_ip,
                request_id=request_id,
            )
            REQUEST_ID.set(None)
            # It and the scope hold each other: what the request took would stay in memory until a collection.
            del scope["state"]["dishka_container"]

    def _refusal(self, scope: HTTPScope, headers: dict[bytes, bytes]) -> tuple[HTTPStatus, str, str] | None:
        if self._hosts and headers.get(b"host", b"").lower() not in self._hosts:
            return HTTPStatus.BAD_REQUEST, "unknown_host", "This host name is not served here."
        if not _is_utf8(scope["raw_path"] + b"?" + scope["query_string"]):
            return HTTPStatus.BAD_REQUEST, "malformed_request", "The address is not UTF-8."
        return None

    def _client_ip(self, scope: HTTPScope) -> str | None:
        """Return the rightmost address that no trusted proxy vouches for being one of them (ASVS 5.0 15.3.4)."""
        peer = scope["client"][0] if scope["client"] else None
        if not self._trusted or peer is None:
            return peer
        hops = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        address = peer
        for hop in reversed([hop.strip() for hop in hops.decode("latin-1").split(",")]):
            if not self._is_trusted(address) or not _is_address(hop):
                break
            address = hop
        return address

    def _is_trusted(self, address: str) -> bool:
        ip = ipaddress.ip_address(address)
        return any(ip.version == network.version and ip in network for network in self._trusted)

    def _complete(self, headers: Headers, request_id: str) -> list[tuple[bytes, bytes]]:
        present = self._names.intersection([name.lower() for name, _ in headers])
        missing = [header for header in self._headers if header[0] not in present] if present else self._headers
        return [*headers, (b"x-request-id", request_id.encode()), *missing]


def _announces_body(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


def _security_headers(*, secure: bool) -> list[tuple[bytes, bytes]]:
    """OWASP REST Security Cheat Sheet; a handler that needs another value sets its own."""
    headers = [
        (b"cache-control", b"no-store"),
        (b"content-security-policy", API_POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"x-frame-options", b"DENY"),
    ]
    if secure:
        headers.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
    return headers


def _is_utf8(part: bytes) -> bool:
    if part.isascii() and b"%" not in part:
        return True
    try:
        unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


async def _send_problem(send: Send, status: HTTPStatus, code: str, detail: str, *, request_id: str) -> None:
    body = msgspec.json.encode(problem_of(status, code, detail, request_id=request_id))
    headers = [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})

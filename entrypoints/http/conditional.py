"""Conditional requests (RFC 9110 section 13): entity tags are versions."""

import re
from http import HTTPStatus
from typing import Any, Literal, Protocol

from litestar import Request, Response

from entrypoints.http.problems import HttpError

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST = re.compile(r'(\s*,)*\s*(W/)?"[\x21\x23-\x7e\x80-\xff]*"(\s*,\s*((W/)?"[\x21\x23-\x7e\x80-\xff]*")?)*\s*')
_VERSION = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


class Versioned(Protocol):
    """A view that knows its version."""

    version: int


def etag_of(view: Versioned) -> str:
    """Return the strong entity tag of a view."""
    return f'"{view.version}"'


def expected_versions(request: Request[Any, Any, Any]) -> frozenset[int] | None:
    """Return the versions that `If-Match` accepts; None where any will do. Raises HttpError 400 for another form.

    Weak tags and tags that Portico never gave match nothing (RFC 9110 section 13.1.1: strong comparison).
    """
    tags = _tags(request, "If-Match")
    if tags is None or tags == "*":
        return None
    return frozenset(int(tag) for weak, tag in tags if not weak and _VERSION.fullmatch(tag))


def answer[View: Versioned](
    request: Request[Any, Any, Any], view: View, *, status: HTTPStatus = HTTPStatus.OK, location: str | None = None
) -> Response[View]:
    """Return the view with its entity tag, or 304 where the client of a GET has it already (section 13.1.2)."""
    headers = {"ETag": etag_of(view), "Cache-Control": "private, no-cache"}
    if location is not None:
        headers["Location"] = location
    if request.method == "GET":
        tags = _tags(request, "If-None-Match")
        if tags is not None and (tags == "*" or any(f'"{tag}"' == headers["ETag"] for _, tag in tags)):
            return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)  # type: ignore[arg-type]
    return Response(view, status_code=status, headers=headers)


def _tags(request: Request[Any, Any, Any], header: str) -> list[tuple[str, str]] | Literal["*"] | None:
    values = request.headers.getall(header, [])
    if not values:
        return None
    value = ", ".join(values)
    if value.strip() == "*":
        return "*"
    if not _LIST.fullmatch(value):
        raise HttpError(HTTPStatus.BAD_REQUEST, "malformed_header", f'{header} must be * or entity tags such as "1".')
    return _TAG.findall(value)

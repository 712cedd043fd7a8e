"""Conditional requests (RFC 9110 section 13): entity tags are versions."""

import re
from http import HTTPStatus
from typing import Any, Literal, Protocol

from litestar import Request, Response

from application.versions import Precondition
from entrypoints.http.answers import Answer
from entrypoints.http.problems import HttpError
from entrypoints.http.requests import header_values

# Possessive throughout: a list that does not fit is given up in linear time, however it was made up.
_ELEMENT = re.compile(r'[ \t]*+(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*+)"[ \t]*+)?(?:,|$)')
_VERSION = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


class Versioned(Protocol):
    """A view that knows its version."""

    version: int


def etag_of(view: Versioned) -> str:
    """Return the strong entity tag of a view."""
    return f'"{view.version}"'


def precondition_of(request: Request[Any, Any, Any]) -> Precondition:
    """Return what the request demands of the version. Raises HttpError 400 for another form.

    =================  =========================================  ==========  ===================
    header             it must be                                 compares    RFC 9110, section
    =================  =========================================  ==========  ===================
    `If-Match`         one of the tags, or with `*` any at all    strongly    13.1.1
    `If-None-Match`    none of the tags, or with `*` none at all  weakly      13.1.2
    =================  =========================================  ==========  ===================

    Tags that Portico never gave match nothing, and nor do weak ones where the comparison is strong.
    """
    return Precondition(any_of=_any_of(request), none_of=_none_of(request))


def _any_of(request: Request[Any, Any, Any]) -> frozenset[int] | None:
    tags = _tags(request, "If-Match")
    if tags is None or tags == "*":
        return None
    return frozenset(int(tag) for weak, tag in tags if not weak and _VERSION.fullmatch(tag))


def _none_of(request: Request[Any, Any, Any]) -> frozenset[int] | None:
    tags = _tags(request, "If-None-Match")
    if tags == "*":
        return None
    return frozenset(int(tag) for _, tag in tags or () if _VERSION.fullmatch(tag))


def answer[View: Versioned](
    request: Request[Any, Any, Any], view: View, *, status: HTTPStatus = HTTPStatus.OK, location: str | None = None
) -> Response[View]:
    """Return the view with its entity tag; to a GET, 304 where the client has it already. Raises Stale to a GET too."""
    headers = {"ETag": etag_of(view), "Cache-Control": "private, no-cache"}
    if location is not None:
        headers["Location"] = location
    if request.method == "GET":
        Precondition(any_of=_any_of(request)).check(view.version)
        if not Precondition(none_of=_none_of(request)).holds(view.version):
            return Answer(view, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Answer(view, status_code=status, headers=headers)


def _tags(request: Request[Any, Any, Any], header: str) -> list[tuple[str, str]] | Literal["*"] | None:
    values = header_values(request.scope, header.lower().encode())
    if not values:
        return None
    value = ",".join(values)
    if value.strip() == "*":
        return "*"
    tags: list[tuple[str, str]] = []
    at = 0
    while at < len(value):
        element = _ELEMENT.match(value, at)
        if element is None:
            tags = []
            break
        if element[2] is not None:
            tags.append((element[1] or "", element[2]))
        at = element.end()
    if not tags:
        raise HttpError(HTTPStatus.BAD_REQUEST, "malformed_header", f'{header} must be * or entity tags such as "1".')
    return tags

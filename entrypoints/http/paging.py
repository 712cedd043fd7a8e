"""Pages on the wire: opaque signed cursors, and `Link` to the next page (RFC 8288)."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NewType
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.params import QueryParameter

from application.paging import PAGE_DEFAULT, PAGE_MAX, Order, Page, Place
from domain.errors import FieldError, Invalid
from entrypoints.http.answers import Answer

CursorKey = NewType("CursorKey", bytes)

CURSOR_MAX = 2048
_MAC_BYTES = 16

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_MAX, description=f"Rows per page, {PAGE_DEFAULT} by default.")]
Cursor = Annotated[str | None, QueryParameter(max_length=CURSOR_MAX, description="`next_cursor` of the page before.")]


class PageBody[View](msgspec.Struct):
    """Some rows, and the cursor of the next page (null on the last)."""

    data: Sequence[View]
    next_cursor: str | None


class _Wire(msgspec.Struct, array_like=True):
    time: datetime | None
    text: str | None
    id: UUID


_decoder = msgspec.msgpack.Decoder(_Wire)


class Cursors:
    """Turns places into cursors and back. A cursor is good for the list it came from and no other."""

    def __init__(self, key: CursorKey) -> None:
        self._key = key

    def write(self, place: Place, *, context: str) -> str:
        """Return the cursor of a place in the list that the context names."""
        is_time = isinstance(place.key, datetime)
        wire = _Wire(place.key if is_time else None, None if is_time else place.key, place.id)  # type: ignore[arg-type]
        payload = msgspec.msgpack.encode(wire)
        return _written(self._mac(payload, context) + payload)

    def read(self, cursor: str, *, context: str) -> Place:
        """Return the place of a cursor. Raises Invalid unless Portico wrote it for this very list."""
        bad = Invalid(FieldError("query/cursor", "is not a cursor of this list"))
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise bad from None
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        # The last letter has bits that mean nothing, and what was altered is refused, even there.
        if not hmac.compare_digest(mac, self._mac(payload, context)) or _written(raw) != cursor:
            raise bad
        wire = _decoder.decode(payload)
        return Place(wire.time if wire.time is not None else wire.text or "", wire.id)

    def _mac(self, payload: bytes, context: str) -> bytes:
        return hmac.digest(self._key, context.encode() + b"\x00" + payload, "sha256")[:_MAC_BYTES]


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def context_of(request: Request[Any, Any, Any], *parts: object) -> str:
    """Name the list that a request asks for: its path, whose it is, and how it is filtered and sorted."""
    return "\x1f".join([request.scope["path"], *map(repr, parts)])


def answer_page[View](
    request: Request[Any, Any, Any], page: Page[View], cursors: Cursors, *, context: str
) -> Response[PageBody[View]]:
    """Return the page, with a cursor and a link to the next."""
    if page.next is None:
        return Answer(PageBody(page.data, None))
    cursor = cursors.write(page.next, context=context)
    query = [(name, value) for name, value in parse_qsl(request.scope["query_string"].decode()) if name != "cursor"]
    link = f'<{request.scope["path"]}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'
    return Answer(PageBody(page.data, cursor), headers={"Link": link})


def sorted_by(sorts: type[StrEnum]) -> QueryParameter:
    """Return what documents `sort=`, for the annotation of the parameter."""
    return QueryParameter(max_length=20, schema_extra={"enum": [f"{sign}{by}" for by in sorts for sign in ("", "-")]})


def parse_order[Sort: StrEnum](text: str, sorts: type[Sort]) -> Order[Sort]:
    """Return the order that `sort=` names: a field, descending with a minus before it. Raises Invalid."""
    name = text.removeprefix("-")
    try:
        return Order(sorts(name), descending=text.startswith("-"))
    except ValueError:
        allowed = ", ".join(sorts)
        raise Invalid(FieldError("query/sort", f"must be one of {allowed}, with - before it to reverse")) from None

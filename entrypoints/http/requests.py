"""Request bodies: decoded strictly, once, straight into the type that the handler names."""

import math
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import ClientException
from litestar.types import Empty, HTTPScope

from entrypoints.decoding import invalid_of
from entrypoints.http.problems import BODY_CUT_OFF, HttpError, malformed_body

_JSON_TYPES = ("application/json", "application/merge-patch+json")


class PorticoRequest(Request[Any, Any, State]):
    """A request whose JSON body is read without coercion: a number is no text, `1` is no `true`.

    Litestar would decode to plain objects and convert those leniently; here msgspec decodes into the handler's type,
    which Litestar then passes on as it is.
    """

    @property
    def content_length(self) -> int | None:
        given = header_values(self.scope, b"content-length")
        return int(given[0]) if given and given[0].isdecimal() else super().content_length

    async def body(self) -> bytes:
        body_type = self._body_type()
        if body_type is not None:
            self._require_json()
        if self._connection_state.body is Empty:
            self._connection_state.body = await self._received()
        body = await super().body()
        if body_type is not None and not body:
            raise malformed_body("The body is empty; JSON is expected.")
        return body

    async def json(self) -> Any:
        return decode_json(await self.body(), self._body_type() or object)

    async def _received(self) -> bytes:
        """Read the body whole. Raises ClientException 413 if it is too large, HttpError 400 if its sender has gone."""
        # Litestar makes a generator for it, which takes longer than to decode a small one.
        most = self.route_handler.resolve_request_max_body_size() or math.inf
        if (self.content_length or 0) > most:
            raise _too_large()
        body, is_whole = bytearray(), False
        while not is_whole:
            message = await self.receive()
            if message["type"] != "http.request":
                raise malformed_body(BODY_CUT_OFF)
            body += message.get("body", b"")
            if len(body) > most:
                raise _too_large()
            is_whole = not message.get("more_body", False)
        return bytes(body)

    def _body_type(self) -> Any:
        field = self.route_handler.parsed_data_field
        return None if field is None else field.annotation

    def _require_json(self) -> None:
        if header_values(self.scope, b"content-type") == ["application/json"]:
            return
        media_type, options = self.content_type
        if media_type.lower() not in _JSON_TYPES or options.get("charset", "utf-8").lower() != "utf-8":
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Send application/json in UTF-8."
            )


def _too_large() -> ClientException:
    return ClientException(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def header_values(scope: HTTPScope, name: bytes) -> list[str]:
    """Return the values of a header, whose name is in lower case; `Request.headers` would decode all of them."""
    return [value.decode("latin-1") for each, value in scope["headers"] if each == name]


@cache
def _decoder(body_type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(body_type)


def decode_json(body: bytes | msgspec.Raw, body_type: Any) -> Any:
    """Return the body as this type. Raises HttpError 400 if it is not JSON, Invalid if it is the wrong JSON."""
    try:
        return _decoder(body_type).decode(body)
    except msgspec.ValidationError as error:
        _require_well_formed(body)
        raise invalid_of(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed_body() from error


def _require_well_formed(body: bytes | msgspec.Raw) -> None:
    """Raise HttpError 400 for what is wrong and then breaks off: the decoder looks no further than to what is wrong."""
    try:
        msgspec.json.decode(body)
    except RecursionError:
        return  # It may well be well-formed.
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed_body() from error

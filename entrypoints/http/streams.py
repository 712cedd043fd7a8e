"""Bodies that are read piece by piece."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from litestar import Request

from entrypoints.http.documentation import StreamFormat
from entrypoints.http.problems import HttpError


def streamed_format[Format: StreamFormat](request: Request[Any, Any, Any], formats: Iterable[Format]) -> Format:
    """Return the format that `Content-Type` names. Raises HttpError 415 for others and for packed bodies."""
    media_type, options = request.content_type
    is_utf8 = options.get("charset", "utf-8").lower() == "utf-8"
    is_plain = request.headers.get("Content-Encoding", "identity").lower() == "identity"
    for each in formats:
        if is_utf8 and is_plain and media_type.lower() == each.media_type:
            return each
    names = " or ".join(each.media_type for each in formats)
    raise HttpError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", f"Send {names} in UTF-8, not compressed."
    )

"""The answer that tells nothing: 202, without content, byte for byte the same whatever was found."""

from http import HTTPStatus
from typing import Any

from litestar import MediaType, Response
from litestar.openapi.datastructures import ResponseSpec

ACCEPTED = {202: ResponseSpec(None, description="What comes of it is told by mail")}
"""For the `responses` of an operation that answers so only at times."""


def accepted() -> Response[Any]:
    """Return the answer."""
    return Response(None, status_code=HTTPStatus.ACCEPTED, media_type=MediaType.TEXT)

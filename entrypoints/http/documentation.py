"""What handlers say of themselves, for the OpenAPI document, beyond what follows from their form."""

from collections.abc import Iterator
from typing import Any, Protocol

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from domain.errors import DomainError


class StreamFormat(Protocol):
    """A format of rows."""

    @property
    def media_type(self) -> str:
        """As `Content-Type` names it."""
        ...


def raises(*errors: type[DomainError]) -> dict[str, Any]:
    """Return the handler option that names the errors an operation can answer."""
    return {"raises": errors}


SHOWS_VERSION = {"shows_version": True}
"""The option of an operation on one thing: it answers with an entity tag, and unless it makes the thing, it takes some.

See `entrypoints/http/conditional.py`.
"""


def takes_stream(*formats: StreamFormat) -> dict[str, Any]:
    """Return the option that names the formats of a body that is read piece by piece."""
    return {"takes_stream": [each.media_type for each in formats]}


def gives_stream(*formats: StreamFormat) -> dict[str, Any]:
    """Return the option that names the formats of an answer that is made piece by piece."""
    return {"gives_stream": [each.media_type for each in formats]}


def handlers_of(app: Litestar) -> Iterator[tuple[HTTPRouteHandler, set[str]]]:
    """Yield every HTTP handler of the application with the names of its query parameters."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, parameters in route.route_handler_map.values():
                yield handler, {parameter.field_alias for parameter in parameters.expected_query_params}

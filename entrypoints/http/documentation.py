"""What the OpenAPI document says beyond what Litestar derives: which problems each operation can answer."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import (
    Components,
    Example,
    OAuthFlow,
    OAuthFlows,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
)
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from domain.access import PermissionDenied
from domain.auth.errors import InvalidAccessToken
from domain.errors import DomainError, Invalid, Unauthenticated, Unavailable
from entrypoints.http.identity import is_private
from entrypoints.http.problems import PROBLEM_JSON, status_of
from entrypoints.http.requests import PorticoRequest
from entrypoints.http.version import VERSION


class StreamFormat(Protocol):
    """A format of rows."""

    @property
    def media_type(self) -> str:
        """As `Content-Type` names it."""
        ...


TOKEN_URL = "/api/v1/auth/token"  # noqa: S105 - an address, not a secret

_STRING = Schema(type=OpenAPIType.STRING)
_PROBLEM = Schema(
    type=OpenAPIType.OBJECT,
    title="Problem",
    description="What every error answer says (RFC 9457).",
    required=["type", "title", "status", "detail", "code", "request_id"],
    properties={
        "type": _STRING,
        "title": _STRING,
        "status": Schema(type=OpenAPIType.INTEGER),
        "detail": _STRING,
        "code": Schema(type=OpenAPIType.STRING, description="Stable; made for programs."),
        "request_id": _STRING,
        "errors": Schema(
            type=OpenAPIType.ARRAY,
            items=Schema(
                type=OpenAPIType.OBJECT,
                required=["pointer", "detail"],
                properties={
                    "pointer": Schema(type=OpenAPIType.STRING, description="A JSON pointer (RFC 6901)."),
                    "detail": _STRING,
                },
            ),
        ),
    },
)
_BODY_PROBLEMS = {
    HTTPStatus.BAD_REQUEST: ["malformed_body"],
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ["body_too_large"],
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ["unsupported_media_type"],
}


_CONFIG = OpenAPIConfig(
    title="Portico",
    version=VERSION,
    description="Accounts, sessions and items. Errors are problem details (RFC 9457) with a stable `code`.",
    use_handler_docstrings=True,
    components=Components(
        security_schemes={
            "bearer": SecurityScheme(type="http", scheme="bearer", description="The `access_token` of a login."),
            "password": SecurityScheme(  # the docs page's Authorize button uses this one
                type="oauth2",
                flows=OAuthFlows(password=OAuthFlow(token_url=TOKEN_URL, scopes={})),
            ),
        }
    ),
)


def raises(*errors: type[DomainError]) -> dict[str, Any]:
    """Return the handler option that names the errors an operation can answer, beside what follows from its form."""
    return {"raises": errors}


def takes_stream(*formats: StreamFormat) -> dict[str, Any]:
    """Return the handler option that names the formats of a body that is read piece by piece."""
    return {"takes_stream": [each.media_type for each in formats]}


def gives_stream(*formats: StreamFormat) -> dict[str, Any]:
    """Return the handler option that names the formats of an answer that is made piece by piece."""
    return {"gives_stream": [each.media_type for each in formats]}


def describe(route_handlers: Sequence[ControllerRouterHandler]) -> bytes:
    """Return the OpenAPI 3.1 document of these routes, as JSON.

    It comes from an application of its own, so that the serving one has none of Litestar's documentation routes.
    """
    app = Litestar(route_handlers, request_class=PorticoRequest, openapi_config=_CONFIG, logging_config=None)
    document = app.openapi_schema
    assert document.components.schemas is not None
    document.components.schemas["Problem"] = _PROBLEM
    operations = {operation.operation_id: operation for operation in _operations(app)}
    for handler, query_parameters in handlers_of(app):
        operation = operations.get(str(handler.operation_id))
        if operation is not None:
            private = is_private(handler)
            codes = _codes_of(handler, private=private, takes_query=bool(query_parameters))
            responses = {status: answer for status, answer in (operation.responses or {}).items() if status < "400"}
            accepted = responses.get("202")
            if isinstance(accepted, OpenAPIResponse):
                accepted.content = None  # Litestar would have it be `null`
            for status in sorted(codes):
                responses[str(int(status))] = _response(status, codes[status])
            operation.responses = responses
            operation.summary = (operation.description or "").partition("\n")[0].removesuffix(".")
            if "takes_stream" in handler.opt:
                operation.request_body = RequestBody(content=_streams(handler.opt["takes_stream"]), required=True)
            if "gives_stream" in handler.opt:
                answer = responses["200"]
                assert isinstance(answer, OpenAPIResponse)
                answer.content = _streams(handler.opt["gives_stream"])
            if private:
                operation.security = [{"bearer": []}, {"password": []}]
    described = document.to_schema()
    described["components"]["schemas"] |= _body_schemas(app)
    # Litestar names the pages of views after the modules these are in.
    return re.sub(rb"PageBody_[\w.]*\.(\w+)View_", rb"\1Page", msgspec.json.encode(described))


def _streams(media_types: Sequence[str]) -> dict[str, OpenAPIMediaType]:
    schema = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
    return {media_type: OpenAPIMediaType(schema=schema) for media_type in media_types}


def _body_schemas(app: Litestar) -> dict[str, Any]:
    """Return the schemas of the request bodies from msgspec, which decodes them: Litestar's lose bounds in unions."""
    bodies = [handler.parsed_data_field.annotation for handler, _ in handlers_of(app) if handler.parsed_data_field]
    _, schemas = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    return schemas


def handlers_of(app: Litestar) -> Iterator[tuple[HTTPRouteHandler, set[str]]]:
    """Yield every HTTP handler of the application with the names of its query parameters."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, parameters in route.route_handler_map.values():
                yield handler, {parameter.field_alias for parameter in parameters.expected_query_params}


def _operations(app: Litestar) -> Iterator[Operation]:
    for item in (app.openapi_schema.paths or {}).values():
        for operation in (item.get, item.post, item.put, item.patch, item.delete):
            if operation is not None:
                yield operation


def _codes_of(handler: HTTPRouteHandler, *, private: bool, takes_query: bool) -> dict[HTTPStatus, list[str]]:
    codes: dict[HTTPStatus, list[str]] = defaultdict(list)
    errors: list[type[DomainError]] = [*handler.opt.get("raises", ()), Unavailable]
    if private:
        errors += [Unauthenticated, InvalidAccessToken, PermissionDenied]
    if handler.parsed_data_field is not None or takes_query:
        errors.append(Invalid)
    for error in errors:
        codes[status_of(error)].append(error.code)
    if "takes_stream" in handler.opt:
        codes[HTTPStatus.BAD_REQUEST].append("malformed_body")
        codes[HTTPStatus.UNSUPPORTED_MEDIA_TYPE].append("unsupported_media_type")
    if handler.parsed_data_field is not None:
        for status, more in _BODY_PROBLEMS.items():
            codes[status] += more
    return codes


def _response(status: HTTPStatus, codes: list[str]) -> OpenAPIResponse:
    return OpenAPIResponse(
        description=f"{status.phrase}: {', '.join(f'`{code}`' for code in dict.fromkeys(codes))}",
        content={
            PROBLEM_JSON: OpenAPIMediaType(
                schema=Reference(ref="#/components/schemas/Problem"),
                examples={
                    code: Example(value={"type": f"urn:portico:problem:{code}", "status": int(status), "code": code})
                    for code in dict.fromkeys(codes)
                },
            )
        },
    )

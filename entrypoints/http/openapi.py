"""The OpenAPI 3.1 document: what Litestar derives, and what handlers and the edge answer beside it."""

import re
from collections import defaultdict
from collections.abc import Sequence
from http import HTTPMethod, HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, OAuthFlow, OAuthFlows, SecurityScheme
from litestar.types import ControllerRouterHandler

from application.replies import IdempotencyKeyReused
from domain.access import PermissionDenied
from domain.auth.errors import InvalidAccessToken
from domain.errors import DomainError, Invalid, Stale, Unauthenticated, Unavailable
from entrypoints.http.documentation import handlers_of
from entrypoints.http.idempotency import HEADER as IDEMPOTENCY_KEY
from entrypoints.http.idempotency import KEY_MAX
from entrypoints.http.identity import is_private
from entrypoints.http.problems import PROBLEM_JSON, status_of
from entrypoints.http.requests import PorticoRequest
from entrypoints.http.version import VERSION

TOKEN_URL = "/api/v1/auth/token"  # noqa: S105 - an address, not a secret

type Json = dict[str, Any]

_STRING: Json = {"type": "string"}
_PROBLEM: Json = {
    "type": "object",
    "title": "Problem",
    "description": "What every error answer says (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": _STRING,
        "title": _STRING,
        "status": {"type": "integer"},
        "detail": _STRING,
        "code": {"type": "string", "description": "Stable; made for programs."},
        "request_id": _STRING,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "title": "FieldProblem",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "A JSON pointer (RFC 6901)."},
                    "detail": _STRING,
                },
            },
        },
    },
}
_BODY_PROBLEMS = {
    HTTPStatus.BAD_REQUEST: "malformed_body",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
}


def _header(description: str, schema: Json = _STRING) -> Json:
    return {"description": description, "schema": schema}


_TAGS: Json = {"type": "string", "maxLength": 8192}
_KEY: Json = {"type": "string", "minLength": 1, "maxLength": KEY_MAX}
_REQUEST_HEADERS = {
    "If-Match": _header("Only if it has one of these entity tags, or with `*` any (RFC 9110 section 13.1.1).", _TAGS),
    "If-None-Match": _header("Only if it has none of these entity tags (RFC 9110 section 13.1.2).", _TAGS),
    IDEMPOTENCY_KEY: _header("Sent again with the same body within 24 h, it gets the same answer.", _KEY),
}
_ANSWER_HEADERS = {
    "ETag": _header("The entity tag of what is shown: its version."),
    "Link": _header('The next page, as `rel="next"` (RFC 8288).'),
    "Location": _header("Where it is."),
    "Idempotency-Replayed": _header("`true` if this was answered before."),
    "Retry-After": _header("Seconds to wait.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": _header("`Bearer`."),
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


def describe(route_handlers: Sequence[ControllerRouterHandler]) -> bytes:
    """Return the OpenAPI 3.1 document of these routes, as JSON.

    It comes from an application of its own, so that the serving one has none of Litestar's documentation routes.
    """
    app = Litestar(route_handlers, request_class=PorticoRequest, openapi_config=_CONFIG, logging_config=None)
    document: Json = app.openapi_schema.to_schema()
    operations = {
        operation["operationId"]: operation
        for item in document["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict)
    }
    for handler, query_parameters in handlers_of(app):
        if (operation := operations.get(str(handler.operation_id))) is not None:
            _complete(operation, handler, takes_query=bool(query_parameters))
    document["components"]["schemas"] |= {"Problem": _PROBLEM, **_body_schemas(app)}
    return _as_spoken_of(msgspec.json.encode(document))


def _complete(operation: Json, handler: HTTPRouteHandler, *, takes_query: bool) -> None:
    operation["summary"] = operation.get("description", "").partition("\n")[0].removesuffix(".")
    if is_private(handler):
        operation["security"] = [{"bearer": []}, {"password": []}]
    for parameter in operation.get("parameters", ()):
        _say_what_may_be_sent(parameter)
    headers = _request_headers(handler)
    if headers:
        operation.setdefault("parameters", []).extend(
            {"name": name, "in": "header", "required": False, **_REQUEST_HEADERS[name]} for name in headers
        )
    if "takes_stream" in handler.opt:
        operation["requestBody"] = {"required": True, "content": _streams(handler.opt["takes_stream"])}
    answers = {status: answer for status, answer in operation["responses"].items() if status < "400"}
    for answer in answers.values():
        _say_what_is_sent(answer, operation, handler)
    if handler.opt.get("shows_version") and HTTPMethod.GET in handler.http_methods:
        answers["304"] = {"description": "The client has it already", "headers": _answer_headers("ETag")}
    codes = _codes_of(handler, takes_query=takes_query)
    answers |= {str(int(status)): _problem(status, codes[status]) for status in sorted(codes)}
    operation["responses"] = answers


def _say_what_may_be_sent(parameter: Json) -> None:
    """Leave null out, which no query can say, and give the orders names that programs can have."""
    schema = parameter["schema"]
    some = [kind for kind in schema.pop("oneOf", ()) if kind != {"type": "null"}]
    if len(some) == 1:
        parameter["schema"] = schema = some[0] | schema
    if parameter["name"] == "sort":
        names = [each.removeprefix("-") + ("_descending" if each.startswith("-") else "") for each in schema["enum"]]
        schema["x-enum-varnames"] = names


def _say_what_is_sent(answer: Json, operation: Json, handler: HTTPRouteHandler) -> None:
    if answer.get("content", {}).get("application/json", {}).get("schema") == {"type": "null"}:
        del answer["content"]
    if "gives_stream" in handler.opt:
        answer["content"] = _streams(handler.opt["gives_stream"])
    headers = []
    if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", ())):
        headers.append("Link")
    if handler.opt.get("shows_version") and HTTPMethod.DELETE not in handler.http_methods:
        headers.append("ETag")
        headers += ["Location"] if HTTPMethod.POST in handler.http_methods else []
    if IDEMPOTENCY_KEY in _request_headers(handler):
        headers.append("Idempotency-Replayed")
    if headers:
        answer["headers"] = _answer_headers(*headers)


def _request_headers(handler: HTTPRouteHandler) -> list[str]:
    headers = []
    if handler.opt.get("shows_version") and HTTPMethod.POST not in handler.http_methods:
        headers += ["If-Match", "If-None-Match"]
    if IdempotencyKeyReused in handler.opt.get("raises", ()):
        headers.append(IDEMPOTENCY_KEY)
    return headers


def _answer_headers(*names: str) -> Json:
    return {name: _ANSWER_HEADERS[name] for name in names}


def _streams(media_types: Sequence[str]) -> Json:
    return {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in media_types}


def _codes_of(handler: HTTPRouteHandler, *, takes_query: bool) -> dict[HTTPStatus, list[str]]:
    """Return the codes of the problems that an operation can answer, by their statuses."""
    codes: dict[HTTPStatus, list[str]] = defaultdict(list)
    takes_body = handler.parsed_data_field is not None
    errors: list[type[DomainError]] = [*handler.opt.get("raises", ()), Unavailable]
    if is_private(handler):
        errors += [Unauthenticated, InvalidAccessToken, PermissionDenied]
    if takes_body or takes_query:
        errors.append(Invalid)
    if "If-Match" in _request_headers(handler):
        errors.append(Stale)
    for error in errors:
        codes[status_of(error)].append(error.code)
    if _request_headers(handler):
        codes[HTTPStatus.BAD_REQUEST].append("malformed_header")
    for status, code in _BODY_PROBLEMS.items():
        is_of_streams = status is not HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if takes_body or (is_of_streams and "takes_stream" in handler.opt):
            codes[status].append(code)
    return codes


def _problem(status: HTTPStatus, codes: Sequence[str]) -> Json:
    distinct = list(dict.fromkeys(codes))
    answer: Json = {
        "description": f"{status.phrase}: {', '.join(f'`{code}`' for code in distinct)}",
        "content": {
            PROBLEM_JSON: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {
                    code: {"value": {"type": f"urn:portico:problem:{code}", "status": int(status), "code": code}}
                    for code in distinct
                },
            }
        },
    }
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        answer["headers"] = _answer_headers("Retry-After")
    if status is HTTPStatus.UNAUTHORIZED:
        answer["headers"] = _answer_headers("WWW-Authenticate")
    return answer


def _body_schemas(app: Litestar) -> Json:
    """Return the schemas of the request bodies from msgspec, which decodes them: Litestar's lose bounds in unions."""
    bodies = [handler.parsed_data_field.annotation for handler, _ in handlers_of(app) if handler.parsed_data_field]
    _, schemas = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    return schemas


def _as_spoken_of(document: bytes) -> bytes:
    """Name what is shown as people do: `Item` and `ItemPage`, where the code has `ItemView` and pages of it."""
    document = re.sub(rb"PageBody(?:_[\w.]*\.|\[)(\w+)View[_\]]", rb"\1Page", document)
    return re.sub(rb'"(title":"|#/components/schemas/|)(\w+)View"', rb'"\1\2"', document)

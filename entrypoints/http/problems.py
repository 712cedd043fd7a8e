"""Errors on the wire: RFC 9457 problem details. The one translation of error kinds to HTTP statuses."""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException, ValidationException
from litestar.types import ExceptionHandlersMap

from application.replies import IdempotencyInProgress
from domain.errors import (
    Conflict,
    DomainError,
    FieldError,
    Forbidden,
    Invalid,
    Limited,
    NotFound,
    Stale,
    Unauthenticated,
    Unavailable,
)
from entrypoints.decoding import pointer_of, rule_of

PROBLEM_JSON = "application/problem+json"

STATUSES: dict[type[DomainError], HTTPStatus] = {
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Stale: HTTPStatus.PRECONDITION_FAILED,
    Limited: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

_log = structlog.get_logger("portico.http")


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every error answer says (RFC 9457 section 3.1), with a stable `code` and the request's id."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list["FieldProblem"] | None = None


class FieldProblem(msgspec.Struct):
    """One value that breaks a rule: where, as a JSON pointer (RFC 6901), and which rule."""

    pointer: str
    detail: str


class HttpError(Exception):
    """A request that is wrong as HTTP, before it means anything to the domain."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


def malformed_body(detail: str = "The body is not well-formed JSON in UTF-8.") -> HttpError:
    """Return the error for a body that can't be read at all."""
    return HttpError(HTTPStatus.BAD_REQUEST, "malformed_body", detail)


def status_of(error: type[DomainError]) -> HTTPStatus:
    """Return the status of an error's kind."""
    return next(STATUSES[kind] for kind in error.__mro__ if kind in STATUSES)


def problem_of(
    status: int,
    code: str,
    detail: str,
    *,
    request_id: str,
    title: str | None = None,
    errors: tuple[FieldError, ...] = (),
) -> Problem:
    """Return the problem that says this."""
    return Problem(
        type=f"urn:portico:problem:{code}",
        title=title or HTTPStatus(status).phrase,
        status=int(status),
        detail=detail,
        code=code,
        request_id=request_id,
        errors=[FieldProblem(pointer_of(error), error.detail) for error in errors] or None,
    )


def _respond(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    return Response(
        msgspec.json.encode(problem), status_code=problem.status, media_type=PROBLEM_JSON, headers=dict(headers or {})
    )


def _id_of(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["state"]["request_id"])


def handle_domain_error(request: Request[Any, Any, Any], error: DomainError) -> Response[bytes]:
    """Answer an anticipated failure."""
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Limited | Unavailable | IdempotencyInProgress):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unavailable):
        _log.warning("unavailable", cause=repr(error.__cause__))
    problem = problem_of(
        status_of(type(error)),
        error.code,
        str(error),
        title=error.title(),
        request_id=_id_of(request),
        errors=error.errors if isinstance(error, Invalid) else (),
    )
    return _respond(problem, headers)


def handle_http_error(request: Request[Any, Any, Any], error: HttpError) -> Response[bytes]:
    """Answer a request that is wrong as HTTP."""
    problem = problem_of(error.status, error.code, str(error), request_id=_id_of(request))
    return _respond(problem, error.headers)


_CODES = {
    HTTPStatus.BAD_REQUEST: ("malformed_request", "The request is not well-formed."),
    HTTPStatus.NOT_FOUND: ("not_found", "There is nothing at this address."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "This address does not know the method; see Allow."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("body_too_large", "The body is larger than is accepted here."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("unsupported_media_type", "Send application/json in UTF-8."),
}
_CLIENT_GONE = "client disconnected prematurely"
BODY_CUT_OFF = "The body ended before its announced length."


def handle_framework_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework refuses, in our words."""
    if isinstance(error, ValidationException):
        return handle_domain_error(request, Invalid(*_field_errors(error)))
    if isinstance(error, InternalServerException) and error.detail == _CLIENT_GONE:
        return handle_http_error(request, malformed_body(BODY_CUT_OFF))
    status = HTTPStatus(error.status_code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return handle_bug(request, error)
    code, detail = _CODES.get(status, ("malformed_request", status.phrase))
    headers = dict(error.headers or {})
    if "allow" in headers:
        headers["allow"] = allowed(headers["allow"].split(", "))
    return _respond(problem_of(status, code, detail, request_id=_id_of(request)), headers)


def allowed(methods: Collection[str]) -> str:
    """Return a value of `Allow` (RFC 9110 section 10.2.1): whoever answers GET answers HEAD too."""
    return ", ".join(sorted({*methods, *(("HEAD",) if "GET" in methods else ())}))


def _field_errors(error: ValidationException) -> list[FieldError]:
    errors = []
    for message in error.extra if isinstance(error.extra, list) else []:
        source = message.get("source")
        where = "body" if source is None else getattr(source, "value", source)
        # All that a query or a header has is text: that a number was one says nothing.
        rule = rule_of(message.get("message", "").partition(", got ")[0])
        errors.append(FieldError(f"{where}/{message.get('key', '')}", rule))
    return errors or [FieldError("", error.detail)]


def handle_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer what nobody anticipated: logged here, once, with its trace; the answer says nothing of it."""
    _log.error("unhandled error", path=request.scope["path"], exc_info=error)
    problem = problem_of(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal_error",
        "Something went wrong on our side. Tell us the request_id if it happens again.",
        request_id=_id_of(request),
    )
    return _respond(problem)


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    DomainError: handle_domain_error,
    HttpError: handle_http_error,
    HTTPException: handle_framework_error,
    Exception: handle_bug,
}

"""The OAuth 2.0 token endpoint (RFC 6749), for stock clients and the docs page's Authorize button."""

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from dishka.integrations.litestar import FromDishka
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema

from application.auth.sessions import RefreshSession
from application.auth.sign_in import SignIn
from application.auth.views import MfaRequired, Tokens
from domain.access import Client
from domain.errors import Limited, Unauthenticated
from entrypoints.http.auth import PASSWORD_TEXT_MAX, REFRESH_TOKEN_MAX
from entrypoints.http.controllers import InjectedController

FORM = "application/x-www-form-urlencoded"
_STRING = Schema(type=OpenAPIType.STRING)
_LONGEST = {"password": PASSWORD_TEXT_MAX, "refresh_token": REFRESH_TOKEN_MAX}
_LONGEST_OTHER = 1024


class OAuthError(msgspec.Struct, omit_defaults=True):
    """What the token endpoint answers when it refuses (RFC 6749 section 5.2)."""

    error: str
    error_description: str | None = None


class _Refused(Exception):
    def __init__(self, error: str, description: str, *, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.body = OAuthError(error, description)
        self.status = HTTPStatus.BAD_REQUEST if retry_after is None else HTTPStatus.TOO_MANY_REQUESTS
        self.headers = {"Pragma": "no-cache"} | ({} if retry_after is None else {"Retry-After": str(retry_after)})


def _refuse(_: Request[Any, Any, Any], refused: _Refused) -> Response[OAuthError]:
    return Response(refused.body, status_code=refused.status, headers=refused.headers)


class _TokenOperation(Operation):
    """The form, which Litestar can't derive because the endpoint reads it itself."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.request_body = RequestBody(
            required=True,
            content={
                FORM: OpenAPIMediaType(
                    schema=Schema(
                        type=OpenAPIType.OBJECT,
                        required=["grant_type"],
                        properties={
                            "grant_type": Schema(type=OpenAPIType.STRING, enum=["password", "refresh_token"]),
                            "username": _STRING,
                            "password": _STRING,
                            "refresh_token": _STRING,
                            "scope": _STRING,
                            "client_id": _STRING,
                            "client_secret": _STRING,
                        },
                    )
                )
            },
        )


class OAuthController(InjectedController):
    """`/auth/token`."""

    path = "/auth/token"
    tags = ("auth",)
    exception_handlers = {_Refused: _refuse}  # noqa: RUF012 - Litestar takes a dict

    @post(
        operation_id="token",
        status_code=200,
        operation_class=_TokenOperation,
        responses={
            400: ResponseSpec(OAuthError, generate_examples=False, description="RFC 6749 section 5.2"),
            429: ResponseSpec(OAuthError, generate_examples=False, description="RFC 8628 section 3.5"),
        },
    )
    async def token(
        self,
        request: Request[Any, Any, Any],
        client: FromDishka[Client],
        sign_in: FromDishka[SignIn],
        refresh_session: FromDishka[RefreshSession],
    ) -> Response[Tokens]:
        """Exchange a password or a refresh token for tokens, as OAuth 2.0 clients do."""
        form = await _read_form(request)
        try:
            match form.get("grant_type"):
                case "password":
                    email, password = _required(form, "username"), _required(form, "password")
                    answer = await sign_in(email=email, password=password, client=client)
                    if isinstance(answer, MfaRequired):
                        raise _Refused("invalid_grant", "mfa_required: sign in at /api/v1/auth/login")
                    tokens = answer
                case "refresh_token":
                    tokens = await refresh_session(_required(form, "refresh_token"), client=client)
                case None:
                    raise _Refused("invalid_request", "grant_type is required")
                case _:
                    raise _Refused("unsupported_grant_type", "grant_type must be password or refresh_token")
        except Unauthenticated as error:
            raise _Refused("invalid_grant", str(error)) from error
        except Limited as error:
            # The one error registered for this endpoint that means "later" (RFC 8628 section 3.5).
            raise _Refused("slow_down", str(error), retry_after=error.retry_after) from error
        return Response(tokens, headers={"Pragma": "no-cache"})


async def _read_form(request: Request[Any, Any, Any]) -> dict[str, str]:
    if request.content_type[0].lower() != FORM:
        raise _Refused("invalid_request", f"send {FORM}")
    try:
        pairs = parse_qsl(
            (await request.body()).decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20
        )
    except ValueError as error:
        raise _Refused("invalid_request", "the form is not well-formed") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _Refused("invalid_request", "a parameter is given twice")
    for name, value in form.items():
        if len(value) > _LONGEST.get(name, _LONGEST_OTHER) or "\x00" in value:
            raise _Refused("invalid_request", f"{name} is not valid" if name.isidentifier() else "a name is not valid")
    return form


def _required(form: dict[str, str], name: str) -> str:
    if not form.get(name):
        raise _Refused("invalid_request", f"{name} is required")
    return form[name]

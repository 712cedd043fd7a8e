"""Signing in and out over HTTP."""

from typing import Annotated

from dishka.integrations.litestar import FromDishka
from litestar import Response, get, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from application.auth.sessions import RefreshSession, SignOut
from application.auth.sign_in import SignIn
from application.auth.signing_ports import AccessTokens
from application.auth.views import MfaRequired, Tokens
from domain.access import Actor, Client
from domain.auth.errors import InvalidCredentials, InvalidRefreshToken
from domain.errors import Limited
from entrypoints.http.controllers import InjectedController
from entrypoints.http.documentation import raises

PASSWORD_TEXT_MAX = 512
REFRESH_TOKEN_MAX = 128

PasswordText = Annotated[str, Meta(max_length=PASSWORD_TEXT_MAX)]


class LoginBody(Struct, forbid_unknown_fields=True):
    """Who signs in."""

    email: Annotated[str, Meta(max_length=320)]
    password: PasswordText


class RefreshBody(Struct, forbid_unknown_fields=True):
    """The refresh token to spend."""

    refresh_token: Annotated[str, Meta(max_length=REFRESH_TOKEN_MAX)]


class AuthController(InjectedController):
    """`/auth`."""

    path = "/auth"
    tags = ("auth",)

    @post("/login", operation_id="login", status_code=200, opt=raises(InvalidCredentials, Limited))
    async def login(
        self, data: JSONBody[LoginBody], client: FromDishka[Client], sign_in: FromDishka[SignIn]
    ) -> Tokens | MfaRequired:
        """Sign in with a password. Where a second factor is on, come back to `/auth/login/mfa` with its code."""
        return await sign_in(email=data.email, password=data.password, client=client)

    @post("/refresh", operation_id="refresh", status_code=200, opt=raises(InvalidRefreshToken, Limited))
    async def refresh(
        self, data: JSONBody[RefreshBody], client: FromDishka[Client], refresh_session: FromDishka[RefreshSession]
    ) -> Tokens:
        """Spend a refresh token for its successor and a new access token."""
        return await refresh_session(data.refresh_token, client=client)

    @post("/logout", operation_id="logout", status_code=204)
    async def logout(self, actor: FromDishka[Actor], sign_out: FromDishka[SignOut]) -> None:
        """End this session, its access token too."""
        await sign_out(actor)


class WellKnownController(InjectedController):
    """`/.well-known`."""

    path = "/.well-known"
    tags = ("auth",)

    @get("/jwks.json", operation_id="jwks")
    async def jwks(self, access_tokens: FromDishka[AccessTokens]) -> Response[dict[str, list[dict[str, str]]]]:
        """Show the public keys that verify access tokens (RFC 7517)."""
        return Response(await access_tokens.jwks(), headers={"Cache-Control": "public, max-age=300"})

"""The second factor over HTTP."""

from typing import Annotated

from dishka.integrations.litestar import FromDishka
from litestar import delete, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from application.auth.sign_in_with_code import SignInWithCode
from application.auth.two_factor import BeginTotp, ConfirmTotp, DisableTotp
from application.auth.views import RecoveryCodes, Tokens, TotpSecret
from domain.access import Actor, Client
from domain.auth.errors import InvalidCode, InvalidMfaToken, MfaAlreadyEnabled, MfaNotEnabled, WrongPassword
from domain.errors import Limited
from entrypoints.http.auth import PasswordText
from entrypoints.http.controllers import InjectedController
from entrypoints.http.documentation import raises

CODE_MAX = 64
MFA_TOKEN_MAX = 128

CodeText = Annotated[
    str,
    Meta(max_length=CODE_MAX, description="The authenticator's six digits, or a recovery code; spaces don't matter."),
]


class MfaLoginBody(Struct, forbid_unknown_fields=True):
    """The second half of a sign-in."""

    mfa_token: Annotated[str, Meta(max_length=MFA_TOKEN_MAX, description="What the login answered.")]
    code: CodeText


class BeginTotpBody(Struct, forbid_unknown_fields=True):
    """The password, once more."""

    password: PasswordText


class ConfirmTotpBody(Struct, forbid_unknown_fields=True):
    """A code of the authenticator."""

    code: Annotated[str, Meta(max_length=CODE_MAX, description="The authenticator's six digits.")]


class DisableTotpBody(Struct, forbid_unknown_fields=True):
    """The password, once more, and a code."""

    password: PasswordText
    code: CodeText


class TwoFactorController(InjectedController):
    """`/auth/login/mfa` and `/auth/mfa`."""

    path = "/auth"
    tags = ("auth",)

    @post(
        "/login/mfa", operation_id="loginWithCode", status_code=200, opt=raises(InvalidMfaToken, InvalidCode, Limited)
    )
    async def login_with_code(
        self, data: JSONBody[MfaLoginBody], client: FromDishka[Client], sign_in: FromDishka[SignInWithCode]
    ) -> Tokens:
        """Finish a sign-in with a code of the second factor. Each code works once."""
        return await sign_in(mfa_token=data.mfa_token, code=data.code, client=client)

    @post(
        "/mfa/totp",
        operation_id="beginTotp",
        status_code=200,
        opt=raises(WrongPassword, MfaAlreadyEnabled, Limited),
    )
    async def begin_totp(
        self, data: JSONBody[BeginTotpBody], actor: FromDishka[Actor], begin_totp: FromDishka[BeginTotp]
    ) -> TotpSecret:
        """Get a new TOTP seed for an authenticator. It does nothing until it is confirmed."""
        return await begin_totp(actor, password=data.password)

    @post(
        "/mfa/totp/confirm",
        operation_id="confirmTotp",
        status_code=200,
        opt=raises(InvalidCode, MfaNotEnabled, Limited),
    )
    async def confirm_totp(
        self, data: JSONBody[ConfirmTotpBody], actor: FromDishka[Actor], confirm_totp: FromDishka[ConfirmTotp]
    ) -> RecoveryCodes:
        """Turn the second factor on with a first code; other sessions end. With a later code: new recovery codes."""
        return await confirm_totp(actor, code=data.code)

    @delete(
        "/mfa/totp",
        operation_id="disableTotp",
        status_code=204,
        opt=raises(WrongPassword, InvalidCode, MfaNotEnabled, Limited),
    )
    async def disable_totp(
        self, data: JSONBody[DisableTotpBody], actor: FromDishka[Actor], disable_totp: FromDishka[DisableTotp]
    ) -> None:
        """Turn the second factor off; every other session ends."""
        await disable_totp(actor, password=data.password, code=data.code)

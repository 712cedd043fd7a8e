"""Passwords and addresses over HTTP: changing them, and proving that they are one's own."""

from typing import Annotated

from dishka.integrations.litestar import FromDishka
from litestar import Response, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from application.auth.addresses import ConfirmEmail, RequestEmailChange, SendVerification
from application.auth.passwords import ChangePassword, ForgetPassword, ResetPassword
from domain.access import Actor, Client
from domain.auth.errors import InvalidLink, WrongPassword
from domain.errors import Limited
from domain.users.errors import EmailTaken
from entrypoints.http.accepted import accepted
from entrypoints.http.auth import PasswordText
from entrypoints.http.controllers import InjectedController
from entrypoints.http.documentation import raises
from entrypoints.http.users import EmailText, NewPasswordText

TOKEN_TEXT_MAX = 128

TokenText = Annotated[str, Meta(max_length=TOKEN_TEXT_MAX, description="What stands behind `#token=` in the link.")]


class ChangePasswordBody(Struct, forbid_unknown_fields=True):
    """The present password, and the new one."""

    current_password: PasswordText
    new_password: NewPasswordText


class ForgotPasswordBody(Struct, forbid_unknown_fields=True):
    """Whose password is to be replaced."""

    email: EmailText


class ResetPasswordBody(Struct, forbid_unknown_fields=True):
    """What the letter's link says, and the new password."""

    token: TokenText
    new_password: NewPasswordText


class ConfirmEmailBody(Struct, forbid_unknown_fields=True):
    """What the letter's link says. The password, where given, must be the account's."""

    token: TokenText
    password: PasswordText | None = None


class EmailChangeBody(Struct, forbid_unknown_fields=True):
    """The new address, and the account's password."""

    email: EmailText
    password: PasswordText


class PasswordController(InjectedController):
    """`/auth/password`."""

    path = "/auth/password"
    tags = ("auth",)

    @post("/change", operation_id="changePassword", status_code=204, opt=raises(WrongPassword, Limited))
    async def change_password(
        self, data: JSONBody[ChangePasswordBody], actor: FromDishka[Actor], change_password: FromDishka[ChangePassword]
    ) -> None:
        """Change one's own password; every other session ends."""
        await change_password(actor, current_password=data.current_password, new_password=data.new_password)

    @post("/forgot", operation_id="forgetPassword", status_code=202, opt=raises(Limited))
    async def forget_password(
        self,
        data: JSONBody[ForgotPasswordBody],
        client: FromDishka[Client],
        forget_password: FromDishka[ForgetPassword],
    ) -> Response[None]:
        """Have a link sent for choosing a new password, if there is an account with this address."""
        await forget_password(email=data.email, client=client)
        return accepted()

    @post("/reset", operation_id="resetPassword", status_code=204, opt=raises(InvalidLink))
    async def reset_password(
        self, data: JSONBody[ResetPasswordBody], client: FromDishka[Client], reset_password: FromDishka[ResetPassword]
    ) -> None:
        """Choose a new password with a letter's link, once; every session ends."""
        await reset_password(token=data.token, new_password=data.new_password, client=client)


class EmailController(InjectedController):
    """`/auth/email`."""

    path = "/auth/email"
    tags = ("auth",)

    @post("/verification", operation_id="sendVerification", status_code=202, opt=raises(Limited))
    async def send_verification(
        self, actor: FromDishka[Actor], send_verification: FromDishka[SendVerification]
    ) -> Response[None]:
        """Have the link sent again that proves one's address."""
        await send_verification(actor)
        return accepted()

    @post(
        "/verify",
        operation_id="confirmEmail",
        status_code=204,
        opt=raises(InvalidLink, WrongPassword, EmailTaken, Limited),
    )
    async def confirm_email(
        self, data: JSONBody[ConfirmEmailBody], client: FromDishka[Client], confirm_email: FromDishka[ConfirmEmail]
    ) -> None:
        """Prove an address with a letter's link, once; a new address becomes the account's by this."""
        await confirm_email(token=data.token, password=data.password, client=client)


class EmailChangeController(InjectedController):
    """`/users/me/email`."""

    path = "/users/me/email"
    tags = ("users",)

    @post(operation_id="requestEmailChange", status_code=202, opt=raises(WrongPassword, Limited))
    async def request_email_change(
        self,
        data: JSONBody[EmailChangeBody],
        actor: FromDishka[Actor],
        request_email_change: FromDishka[RequestEmailChange],
    ) -> Response[None]:
        """Ask for another address; it changes once the link sent there is used, and the present one is told."""
        await request_email_change(actor, email=data.email, password=data.password)
        return accepted()

"""What can be wrong with credentials. The messages never tell which part was wrong (ASVS 5.0 6.3.8)."""

from domain.errors import FieldError, Forbidden, Invalid, Unauthenticated


class InvalidCredentials(Unauthenticated):
    """The email address or the password is wrong."""

    code = "invalid_credentials"
    detail = "Check the email address and the password, then try again."


class InvalidAccessToken(Unauthenticated):
    """The access token is not valid."""

    code = "invalid_token"
    detail = "The access token is malformed, expired or revoked. Refresh it, or sign in again."


class InvalidRefreshToken(Unauthenticated):
    """The refresh token is not valid."""

    code = "invalid_refresh_token"
    detail = "The refresh token is malformed, spent, expired or revoked. Sign in again."


class WrongPassword(Forbidden):
    """The password is wrong."""

    code = "wrong_password"
    detail = "That is not this account's password. Nothing was changed."


class InvalidLink(Invalid):
    """The link is not valid any more."""

    code = "invalid_or_expired_token"
    detail = "The link was used before, has expired, or is for something else. Ask for a new one."

    def __init__(self) -> None:
        super().__init__(FieldError("token", "is unknown, used or expired"))
        self.args = (self.detail,)

"""What can be wrong with credentials. The messages never tell which part was wrong (ASVS 5.0 6.3.8)."""

from domain.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Unauthenticated


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


class InvalidApiKey(InvalidAccessToken):
    """The API key is not valid."""

    detail = "The API key is malformed, expired or revoked. Make another one."


class ApiKeyNotFound(NotFound):
    """There is no such API key."""

    detail = "There is no API key with this id."


class TooManyApiKeys(Conflict):
    """There are too many API keys."""

    code = "too_many_api_keys"
    detail = "An account has at most 50 API keys. Revoke one that is no longer needed."


class InvalidCode(Unauthenticated):
    """The code is not valid."""

    code = "invalid_code"
    detail = "The code is wrong, or was used before. Wait for the next one, or use a recovery code."


class InvalidMfaToken(Unauthenticated):
    """The token of this sign-in is not valid."""

    code = "invalid_mfa_token"
    detail = "The mfa_token is malformed, used or expired, or had too many wrong codes. Sign in again."


class MfaAlreadyEnabled(Conflict):
    """The second factor is on already."""

    code = "mfa_already_enabled"
    detail = "Turn the second factor off before you set up another one."


class MfaNotEnabled(Conflict):
    """There is no second factor."""

    code = "mfa_not_enabled"
    detail = "Set up the second factor first."


class SessionNotFound(NotFound):
    """There is no such session."""

    detail = "You have no live session with this id."

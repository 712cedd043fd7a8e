"""Letters on their way."""

from enum import StrEnum


class LetterTemplate(StrEnum):
    """Which letter. Each has a text and an HTML form of the same name."""

    VERIFY_EMAIL = "verify_email"
    ALREADY_REGISTERED = "already_registered"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a letter's name, not a secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - likewise
    CONFIRM_NEW_EMAIL = "confirm_new_email"
    EMAIL_CHANGE_REQUESTED = "email_change_requested"
    EMAIL_CHANGED = "email_changed"
    MFA_ENABLED = "mfa_enabled"
    MFA_DISABLED = "mfa_disabled"
    ACCOUNT_DELETED = "account_deleted"

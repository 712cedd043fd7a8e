"""What is written down about security (ASVS 5.0 16.3): who did what to whom, from where."""

from enum import StrEnum


class AuditAction(StrEnum):
    """The events that are recorded. Names are stable; programs read them."""

    USER_REGISTERED = "user.registered"
    USER_CREATED = "user.created"
    USER_RENAMED = "user.renamed"
    USER_EMAIL_CHANGED = "user.email_changed"
    USER_EMAIL_CHANGE_REQUESTED = "user.email_change_requested"
    USER_EMAIL_VERIFIED = "user.email_verified"
    USER_ROLE_CHANGED = "user.role_changed"
    USER_ACTIVATED = "user.activated"
    USER_DEACTIVATED = "user.deactivated"
    USER_DELETED = "user.deleted"
    USER_EXPORTED = "user.exported"
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_THROTTLED = "login.throttled"
    MFA_FAILED = "mfa.failed"
    MFA_ENABLED = "mfa.enabled"
    MFA_DISABLED = "mfa.disabled"
    RECOVERY_CODE_USED = "mfa.recovery_code_used"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - an event's name, not a secret
    PASSWORD_RESET_REQUESTED = "password.reset_requested"  # noqa: S105 - likewise
    PASSWORD_RESET = "password.reset"  # noqa: S105 - likewise
    SESSION_REVOKED = "session.revoked"
    REFRESH_TOKEN_REUSED = "session.refresh_token_reused"  # noqa: S105 - likewise
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    SIGNING_KEY_ROTATED = "signing_key.rotated"
    SIGNING_KEY_RETIRED = "signing_key.retired"

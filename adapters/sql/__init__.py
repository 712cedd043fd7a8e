"""SQLite and PostgreSQL through SQLAlchemy. Imports the tables, so that the metadata knows all."""

from adapters.sql import (
    api_keys,
    audit,
    items,
    keyring,
    one_time_tokens,
    outbox,
    replies,
    sessions,
    throttle,
    two_factor,
    users,
)

TABLES = (
    users.USERS,
    sessions.SESSIONS,
    one_time_tokens.ONE_TIME_TOKENS,
    two_factor.TOTP_FACTORS,
    two_factor.RECOVERY_CODES,
    api_keys.API_KEYS,
    items.ITEMS,
    audit.AUDIT_EVENTS,
    outbox.LETTERS,
    replies.REPLIES,
    throttle.THROTTLES,
    keyring.SIGNING_KEYS,
)

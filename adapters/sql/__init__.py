"""SQLite and PostgreSQL through SQLAlchemy. Imports the records, so that the metadata knows every table."""

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

RECORDS = (
    users.UserRecord,
    sessions.SessionRecord,
    one_time_tokens.OneTimeTokenRecord,
    two_factor.TotpRecord,
    two_factor.RecoveryCodeRecord,
    api_keys.ApiKeyRecord,
    items.ItemRecord,
    audit.AuditEventRecord,
    outbox.LetterRecord,
    replies.ReplyRecord,
    throttle.ThrottleRecord,
    keyring.SigningKeyRecord,
)

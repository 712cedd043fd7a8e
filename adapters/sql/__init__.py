"""SQLite and PostgreSQL through SQLAlchemy. Imports the records, so that the metadata knows every table."""

from adapters.sql import items, keyring, sessions, users

RECORDS = (users.UserRecord, sessions.SessionRecord, items.ItemRecord, keyring.SigningKeyRecord)

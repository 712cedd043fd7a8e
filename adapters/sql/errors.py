"""What drivers and databases raise, as the domain's errors."""

import sqlite3
from contextlib import AbstractContextManager

import asyncpg
import sqlalchemy as sa

from domain.errors import DomainError, Unavailable
from domain.users.errors import EmailTaken, UserNotFound

CONSTRAINT_ERRORS: dict[str, type[DomainError]] = {
    "uq_users_email": EmailTaken,
    "users.email": EmailTaken,
    "fk_api_keys_owner_id_users": UserNotFound,
    "fk_items_owner_id_users": UserNotFound,
    "fk_letters_user_id_users": UserNotFound,
    "fk_one_time_tokens_user_id_users": UserNotFound,
    "fk_recovery_codes_user_id_users": UserNotFound,
    "fk_replies_owner_id_users": UserNotFound,
    "fk_sessions_user_id_users": UserNotFound,
    "fk_totp_factors_user_id_users": UserNotFound,
}
"""Which error a broken constraint is, by its name; SQLite names a unique constraint by its columns."""

_SQLITE_FOREIGN_KEY = "FOREIGN KEY constraint failed"
_SQLITE_UNIQUE = "UNIQUE constraint failed: "


def translated() -> AbstractContextManager[object]:
    """Raise the domain's error in place of the driver's; what is not anticipated passes unchanged, as a bug.

    ================================================  =================================
    raised by the driver or the pool                  raised instead
    ================================================  =================================
    a constraint of `CONSTRAINT_ERRORS` is broken     the error named there
    no connection, a lost one, none free in time,     `Unavailable`
    a lock or a statement that took too long, a full
    or failing disk, a damaged file, a deadlock, a
    server going down
    ================================================  =================================
    """
    return _TRANSLATION


class _Translation(AbstractContextManager[object]):
    """One for all: each statement is within one, and to make a generator for each would take longer than to enter."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object, /) -> None:
        if error is None:
            return
        # The reason is told to operators: what the driver says, without the statement and the values in it.
        cause = _driver_error(error)
        translation = _translation_of(error, cause)
        if translation is not None:
            raise translation from cause


_TRANSLATION = _Translation()


def _translation_of(error: BaseException, cause: BaseException) -> type[DomainError] | None:
    if isinstance(cause, sqlite3.IntegrityError | asyncpg.IntegrityConstraintViolationError):
        return CONSTRAINT_ERRORS.get(_constraint(cause))
    is_lost = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
    return Unavailable if is_lost or isinstance(cause, _OUTAGES) or _is_sqlite_outage(cause) else None


def _driver_error(error: BaseException) -> BaseException:
    """Return what the driver raised: SQLAlchemy wraps it, and the error of its asyncpg adapter has it as its cause."""
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


_OUTAGES = (
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InsufficientResourcesError,  # class 53: disk full, too many connections
    asyncpg.OperatorInterventionError,  # class 57: shutting down, statement_timeout
    asyncpg.PostgresSystemError,  # class 58: input/output error
    asyncpg.TransactionRollbackError,  # class 40: deadlock, serialization
    asyncpg.LockNotAvailableError,  # 55P03: lock_timeout
    asyncpg.IdleInTransactionSessionTimeoutError,  # 25P03
    asyncpg.ReadOnlySQLTransactionError,  # 25006: a standby
    asyncpg.InvalidCachedStatementError,  # the schema changed in the middle of a unit; the caller may try again
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28: the password was changed
    asyncpg.InvalidCatalogNameError,  # 3D000: the database is gone
    asyncpg.InvalidSchemaNameError,  # 3F000: there is none on the `search_path`
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
_SQLITE_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)


def _is_sqlite_outage(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and code & 0xFF in _SQLITE_OUTAGES


def _constraint(error: sqlite3.IntegrityError | asyncpg.IntegrityConstraintViolationError) -> str:
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return error.constraint_name or ""
    message = str(error)
    if message.startswith(_SQLITE_UNIQUE):
        return message.removeprefix(_SQLITE_UNIQUE)
    # SQLite does not say which foreign key; each table here has one, to its owner.
    return "fk_items_owner_id_users" if message == _SQLITE_FOREIGN_KEY else message

"""What drivers and databases raise, as the domain's errors."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def translated() -> Iterator[None]:
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
    try:
        yield
    except sa.exc.IntegrityError as error:
        translation = CONSTRAINT_ERRORS.get(_constraint(error))
        if translation is None:
            raise
        raise translation from error
    except sa.exc.TimeoutError as error:
        raise Unavailable from error
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated or _is_outage(error.orig):
            # The reason is told to operators: what the driver says, without the statement and the values in it.
            raise Unavailable from _driver_error(error.orig)
        raise
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # Connecting raises these bare: SQLAlchemy wraps only what a cursor raises.
        raise Unavailable from error
    except (sqlite3.Error, asyncpg.PostgresError) as error:
        if _is_outage(error):
            raise Unavailable from error
        raise


def is_stale_plan(error: sa.exc.DBAPIError) -> bool:
    """Tell whether the statement failed only because the schema changed since the connection prepared it."""
    return isinstance(_driver_error(error.orig), asyncpg.InvalidCachedStatementError)


def _driver_error(error: BaseException | None) -> BaseException | None:
    """SQLAlchemy's asyncpg adapter raises its own error from the driver's."""
    cause = error.__cause__ if error is not None else None
    return cause if isinstance(cause, asyncpg.PostgresError | asyncpg.InterfaceError | OSError) else error


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
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    asyncio.TimeoutError,
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


def _is_outage(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in _SQLITE_OUTAGES
    return isinstance(_driver_error(error), _OUTAGES)


def _constraint(error: sa.exc.IntegrityError) -> str:
    if isinstance(error.orig, sqlite3.IntegrityError):
        message = str(error.orig)
        if message.startswith(_SQLITE_UNIQUE):
            return message.removeprefix(_SQLITE_UNIQUE)
        # SQLite does not say which foreign key; each table here has one, to its owner.
        return "fk_items_owner_id_users" if message == _SQLITE_FOREIGN_KEY else message
    return getattr(_driver_error(error.orig), "constraint_name", None) or ""

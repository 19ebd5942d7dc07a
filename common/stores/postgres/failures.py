"""What a failure of PostgreSQL means to who asked: nothing happened, or that is not known.

A statement is a transaction of its own. The server's word that it failed is its word that nothing
of it happened, as long as the session goes on: it rolls back before it says so, and it honors no
cancellation between a commit and its answer. A session that ends (``FATAL``), a connection that is
lost and an answer that does not come in time say nothing, for the commit may have come before.
"""

from __future__ import annotations

from asyncpg import exceptions

from common.domain.errors import (
    InternalError,
    StoreFull,
    StoreUnreachable,
    StoreUnready,
    TaskQueueError,
)

READ_ONLY = exceptions.ReadOnlySQLTransactionError
"""A primary that has become a replica: nothing is done there, another one may do it."""
ROLLED_BACK = (exceptions.TransactionRollbackError, READ_ONLY)
"""A deadlock or the like: what is asked again may succeed."""
NOT_MIGRATED = (
    exceptions.UndefinedTableError,
    exceptions.UndefinedColumnError,
    exceptions.UndefinedFunctionError,
)
"""A primary that took over without the tables, for the one before it was lost with them."""
FAILURES = (
    OSError,
    TimeoutError,
    exceptions.PostgresError,
    exceptions.InterfaceError,
    exceptions.InternalClientError,
)
"""What comes of a statement, or a connection, that fails."""
# What is wrong with the statement itself: its values, a constraint, a name.
_DEFECTS = ("22", "23", "42")


def before_it_was_sent(store: str, error: Exception) -> TaskQueueError:
    """Return the error for a connection that could not be had."""
    return StoreUnready(store, _text(error))


def may_be_sent_again(error: Exception) -> bool:
    """Return whether a statement had no effect that may have one when it is sent once more."""
    return isinstance(error, (*ROLLED_BACK, *NOT_MIGRATED)) or _was_not_sent(error)


def after_it_was_sent(store: str, error: Exception) -> TaskQueueError:
    """Return the error for a statement that failed on its connection."""
    if _was_not_sent(error):
        return StoreUnready(store, _text(error))
    if isinstance(error, exceptions.InterfaceError):
        # asyncpg cannot write an argument down.
        return InternalError(_text(error))
    if not isinstance(error, exceptions.PostgresError) or error.severity_en != "ERROR":
        return StoreUnreachable(store, _text(error))
    if isinstance(error, exceptions.DiskFullError):
        return StoreFull(store, _text(error))
    if (error.sqlstate or "").startswith(_DEFECTS):
        return InternalError(_text(error))
    return StoreUnready(store, _text(error))


def nothing_happened(failure: TaskQueueError) -> bool:
    """Return whether a statement that failed so had no effect; a defect in it is rolled back."""
    return failure.definite or isinstance(failure, InternalError)


def leaves_it_usable(error: BaseException) -> bool:
    """Return whether a connection can be used again after a statement failed on it."""
    answered = isinstance(error, exceptions.PostgresError) and error.severity_en == "ERROR"
    return answered and not isinstance(error, READ_ONLY)


def _was_not_sent(error: Exception) -> bool:
    """Return whether asyncpg refused a connection that is closed, or was told to close."""
    closed = isinstance(error, exceptions.InterfaceError) and "closed" in str(error)
    closing = isinstance(error, exceptions.InternalClientError) and "another op" in str(error)
    return closed or closing


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__

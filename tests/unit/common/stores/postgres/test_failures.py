"""Whether a failure of PostgreSQL is a definite one."""

from __future__ import annotations

import pytest
from asyncpg import exceptions

from common.domain.errors import InternalError, StoreFull, StoreUnreachable, StoreUnready
from common.stores.postgres import failures


def said(state: str, severity: str = "ERROR") -> exceptions.PostgresError:
    """Return what asyncpg raises for a message of the server."""
    error: exceptions.PostgresError = exceptions.PostgresError.new(
        {"S": severity, "V": severity, "C": state, "M": "why"}
    )
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (said("53100"), StoreFull),
        (said("53200"), StoreUnready),
        (said("25006"), StoreUnready),
        (said("57014"), StoreUnready),
        (said("55P03"), StoreUnready),
        (said("40P01"), StoreUnready),
        (said("22021"), InternalError),
        (said("42P01"), InternalError),
        (said("57P01", "FATAL"), StoreUnreachable),
        (said("57P02", "FATAL"), StoreUnreachable),
        (said("53100", "PANIC"), StoreUnreachable),
        (exceptions.ConnectionDoesNotExistError("connection was closed"), StoreUnreachable),
        (ConnectionResetError(), StoreUnreachable),
        (TimeoutError(), StoreUnreachable),
        (exceptions.InterfaceError("connection is closed"), StoreUnready),
        (exceptions.InterfaceError("invalid input for query argument"), InternalError),
    ],
)
def test_only_a_statement_that_was_rolled_back_or_not_sent_is_definite(
    error: Exception, kind: type[Exception]
) -> None:
    assert type(failures.after_it_was_sent("postgres", error)) is kind


def test_what_fails_before_a_statement_is_sent_is_definite() -> None:
    for error in (said("57P03", "FATAL"), said("53300", "FATAL"), TimeoutError(), OSError("no")):
        assert failures.before_it_was_sent("postgres", error).definite

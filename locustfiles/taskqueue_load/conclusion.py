"""What is done when a test is over: its record is written, and what went wrong is logged."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from taskqueue_load import duration
from taskqueue_load.facts import facts, window
from taskqueue_load.ledger import Ledger
from taskqueue_load.session import Run

RECORD_CODE = 1

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """A test that has ended. It was to last ``asked_seconds``, if it was to end by itself.

    ``wanted`` is whether somebody may have ended it, ``users`` is how many Locust was to start.
    """

    run: Run
    stopped_unix: float
    asked_seconds: float | None
    wanted: bool
    host: str
    users: int


def conclude(ended: Ended, book: Ledger) -> int:
    """Write the record and log what is wrong with the figures; return the exit code for it."""
    _log_unsent(ended.run, book)
    _log_unanswered(ended, book)
    return _write(ended, book) or _check_length(ended)


def _write(ended: Ended, book: Ledger) -> int:
    try:
        path = book.write(
            facts(ended.run, ended.stopped_unix, ended.asked_seconds, ended.host, ended.users)
        )
    except OSError as error:
        logger.error("there is no whole record, what was written is in %s: %s", book.folder, error)
        return RECORD_CODE
    if path is not None:
        logger.info("Recorded in %s", path.parent)
    return 0


def _check_length(ended: Ended) -> int:
    from_unix, to_unix = window(ended.run, ended.stopped_unix)
    short = duration.shortfall(to_unix - from_unix, ended.asked_seconds)
    if not short:
        return 0
    logger.log(logging.WARNING if ended.wanted else logging.ERROR, short)
    return 0 if ended.wanted else duration.SHORT_CODE


def _log_unsent(run: Run, book: Ledger) -> None:
    total = book.total
    if run.options.is_open:
        logger.info("%d calls were due, %d sent", total.due, total.sent)
    if total.dropped:
        logger.warning(
            "%d calls were dropped, for %d were in flight (--max-in-flight)",
            total.dropped,
            run.options.max_in_flight,
        )


def _log_unanswered(ended: Ended, book: Ledger) -> None:
    total, kinds = book.total, book.error_kinds
    if kinds and not total.answered + total.expected:
        kind, _ = kinds.most_common(1)[0]
        logger.error("not one call was answered by %s: %s", ended.host, kind)

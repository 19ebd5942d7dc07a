"""Cancels: the least that breaks a rule, with its slice, and what is innocent."""

import pytest

from testbed.record.history.model import Seen
from tests.support.history_builder import HistoryBuilder, canceled, done, failed, queued, running


@pytest.mark.parametrize("later", [running(), done(), failed(), running(cancel_requested=True)])
def test_a_job_that_was_canceled_in_the_queue_never_starts(later: Seen) -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    cancel = history.cancel(canceled(), (2, 3))
    shown = history.status(later, (4, 5))
    assert history.accused() == [("cancel", "j1", (cancel, shown))]


def test_a_cancel_is_acknowledged_only_if_the_job_did_not_start_meanwhile() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    shown = history.result((2, 9))
    cancel = history.cancel(canceled(), (3, 8))
    assert history.accused() == [("cancel", "j1", (shown, cancel))]


def test_a_cancel_of_a_terminal_job_returns_it_unchanged() -> None:
    for answer in (failed(), canceled(), running(cancel_requested=True)):
        history = HistoryBuilder()
        history.submit("j1", (0, 1))
        shown = history.status(done(), (2, 3))
        cancel = history.cancel(answer, (4, 5))
        assert history.accused() == [("cancel", "j1", (shown, cancel))]


def test_a_cancel_returns_the_record_of_a_terminal_job_even_if_its_result_was_read_first() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.result((2, 3))
    shown = history.status(done(), (4, 5))
    cancel = history.cancel(done(finish_us=301), (6, 7))
    assert history.accused() == [("cancel", "j1", (shown, cancel))]


def test_a_cancel_that_is_answered_leaves_nothing_queued() -> None:
    for answer in (queued(), running()):
        history = HistoryBuilder()
        history.submit("j1", (0, 1))
        cancel = history.cancel(answer, (4, 5))
        assert history.accused() == [("cancel", "j1", (cancel,))]


def test_a_cancel_of_a_running_job_may_come_too_late() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.cancel(running(cancel_requested=True), (2, 3))
    history.status(done(cancel_requested=True), (4, 5))
    history.cancel(done(cancel_requested=True), (6, 7))
    assert history.accused() == []

"""Terminal jobs: the least that breaks a rule, with its slice, and what is innocent."""

import pytest

from testbed.record.history.model import Seen
from tests.support.history_builder import HistoryBuilder, canceled, done, failed, queued, running


@pytest.mark.parametrize(
    "later",
    [
        failed(),
        done(attempt=2),
        done(finish_us=301),
        canceled(attempt=1, worker="w1", start_us=201),
        done(cancel_requested=True),
    ],
)
def test_a_terminal_job_never_changes(later: Seen) -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.maybe_cancel(2)
    first = history.status(done(), (11, 12))
    second = history.status(later, (5, 20), client="other")
    assert history.accused() == [("terminal", "j1", (second, first))]


def test_the_reason_of_a_failure_never_changes() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    first = history.status(failed(), (11, 12))
    second = history.page([failed(failure="OTHER")], (13, 14))
    assert history.accused() == [("terminal", "j1", (first, second))]


def test_a_result_never_changes() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.status(done(), (2, 3))
    first = history.result((11, 12))
    second = history.result((13, 14), digest="other")
    assert history.accused() == [("terminal", "j1", (first, second))]


def test_records_agree_with_each_other_even_if_a_result_was_there_first() -> None:
    for later in (done(attempt=2), done(finish_us=301)):
        history = HistoryBuilder()
        history.submit("j1", (0, 1))
        history.result((2, 3))
        first = history.status(done(), (4, 5))
        second = history.status(later, (6, 7))
        assert history.accused() == [("terminal", "j1", (first, second))]


def test_a_result_has_the_state_of_its_job() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    first = history.status(failed(), (11, 12))
    second = history.result((13, 14))
    assert history.accused() == [("terminal", "j1", (first, second))]


def test_a_terminal_job_is_never_shown_unfinished_later() -> None:
    for later in (queued(), running()):
        history = HistoryBuilder()
        history.submit("j1", (0, 1))
        first = history.result((11, 12))
        second = history.status(later, (13, 14), client="other")
        assert history.accused() == [("terminal", "j1", (first, second))]


def test_a_terminal_job_has_a_result() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    first = history.page([done()], (11, 12))
    second = history.not_finished((13, 14))
    assert history.accused() == [("terminal", "j1", (first, second))]


def test_a_terminal_job_is_not_forgotten_even_if_nobody_was_promised_it() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0)
    first = history.status(done(), (11, 12))
    second = history.not_found((13, 14))
    assert history.accused() == [("terminal", "j1", (first, second))]


def test_reads_that_overlap_the_end_may_see_either() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.status(done(), (5, 20))
    history.status(running(), (6, 30))
    history.not_finished((20, 30))  # asked for in the microsecond of the answer
    history.page([queued()], (2, 7))
    assert history.accused() == []

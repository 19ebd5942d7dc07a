"""The steps of a job: the least that breaks a rule, with its slice, and what is innocent."""

import pytest

from testbed.record.history import lines
from testbed.record.history.messages import digest
from testbed.record.history.model import Seen
from tests.support.history_builder import HistoryBuilder, canceled, done, failed, queued, running


@pytest.mark.parametrize(
    "seen",
    [
        queued(attempt=1),
        queued(start_us=200),
        queued(finish_us=300),
        queued(failure="WHY"),
        running(attempt=0),
        running(start_us=None),
        running(start_us=99),
        running(finish_us=300),
        done(finish_us=None),
        done(finish_us=150),
        done(attempt=0, start_us=None),
        done(failure="WHY"),
        failed(failure=""),
        canceled(finish_us=None),
        canceled(start_us=200),
        queued(state="5"),
        queued(worker="w1"),
        running(worker=""),
        done(worker=""),
        canceled(worker="w1"),
        canceled(attempt=1, start_us=200),
        canceled(cancel_requested=False),
        canceled(attempt=1, start_us=200, worker="w1", cancel_requested=False),
    ],
)
def test_a_record_that_no_job_can_have_is_seen_at_once(seen: Seen) -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.maybe_cancel(2)
    shown = history.status(seen, (11, 12))
    assert history.accused() == [("steps", "j1", (shown,))]


@pytest.mark.parametrize(
    "seen",
    [
        queued(),
        queued(create_us=None),
        running(),
        running(start_us=100),
        done(),
        done(attempt=9),
        failed(),
        canceled(),
        canceled(attempt=1, start_us=200, worker="w"),
    ],
)
def test_a_record_in_order_is_innocent(seen: Seen) -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.maybe_cancel(2)
    history.status(seen, (11, 12))
    assert history.accused() == []


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (running(), queued()),
        (running(attempt=2), running(attempt=1)),
        (running(attempt=2), done(attempt=1)),
        (running(), running(worker="other")),
        (running(), done(start_us=250)),
        (queued(), queued(create_us=99)),
        (queued(), running(kind="sleep")),
        (running(cancel_requested=True), running()),
        (running(cancel_requested=True), done()),
    ],
)
def test_nothing_goes_back(earlier: Seen, later: Seen) -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.maybe_cancel(2)
    first = history.status(earlier, (11, 12), client="one")
    second = history.status(later, (13, 14), client="other")
    assert history.accused() == [("steps", "j1", (first, second))]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_job_that_is_not_done_has_no_output(state: str) -> None:
    failure = "WHY" if state == "FAILED" else ""
    for output in (digest(b"x"), digest(b""), ""):
        history = HistoryBuilder()
        history.submit("j1", (0, 1))
        history.maybe_cancel(2)
        shown = history.result((3, 4), state=state, digest=output, failure=failure)
        guilty = [("steps", "j1", (shown,))] if output == digest(b"x") else []
        assert history.accused() == guilty


@pytest.mark.parametrize(("state", "failure"), [("DONE", "WHY"), ("FAILED", "")])
def test_a_result_has_a_failure_exactly_if_the_job_failed(state: str, failure: str) -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    shown = history.result((3, 4), state=state, digest=digest(b""), failure=failure)
    assert history.accused() == [("steps", "j1", (shown,))]


def test_overlapping_reads_may_see_steps_in_any_order() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.maybe_cancel(2)
    for number, seen in enumerate(
        [done(attempt=3), running(attempt=3), running(cancel_requested=True), running(), queued()]
    ):
        history.status(seen, (3 + number, 50))
    assert history.accused() == []


def test_steps_may_be_missed_and_attempts_skipped() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.status(queued(), (2, 3))
    history.status(running(attempt=2), (4, 5))
    history.status(done(attempt=5), (6, 7))
    history.submit("j2", (0, 1))
    history.status(queued("j2"), (2, 3))
    history.status(failed("j2"), (4, 5))
    assert history.accused() == []


def test_no_attempt_is_above_that_of_the_end() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    first = history.status(running(attempt=3), (5, 20))
    second = history.status(done(attempt=2), (6, 21))
    assert history.accused() == [("steps", "j1", (first, second))]


def test_a_job_has_the_kind_that_was_submitted() -> None:
    history = HistoryBuilder()
    submit = history.submit("j1", (0, 1), kind="sleep")
    shown = history.status(queued(), (2, 3))
    assert history.accused() == [("steps", "j1", (submit, shown))]


def test_an_answer_is_about_the_job_that_was_asked_for() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.submit("j2", (0, 1))
    shown = history.answered(lines.STATUS, "j1", (2, 3), queued("j2"))
    assert history.accused() == [("steps", "j1", (shown,))]


def test_nothing_is_canceled_unless_somebody_asked_for_it() -> None:
    for seen in (canceled(), running(cancel_requested=True)):
        history = HistoryBuilder()
        history.submit("j1", (0, 1))
        shown = history.status(seen, (2, 3))
        history.maybe_cancel(4)
        assert history.accused() == [("steps", "j1", (shown,))]


def test_a_refused_cancel_cancels_nothing() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.refused(lines.CANCEL, "j1", (2, 3), "RESOURCE_EXHAUSTED")
    shown = history.status(canceled(), (4, 5))
    assert history.accused() == [("steps", "j1", (shown,))]


def test_an_indefinite_cancel_may_take_effect_at_any_time() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 1))
    history.maybe_cancel(2)
    history.status(queued(), (500, 501))
    history.status(canceled(), (502, 503))
    assert history.accused() == []


def test_a_job_that_was_withdrawn_does_not_come_back() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0)
    first = history.status(queued(), (1, 2))
    missing = history.not_found((3, 4))
    again = history.status(queued(), (5, 6))
    assert history.accused() == [("steps", "j1", (first, missing, again))]

"""For each rule the least that breaks it, with the exact slice, and what is innocent beside it."""

import pytest

from testbed.check import rules
from testbed.record.history import lines
from testbed.record.history.messages import digest
from testbed.record.history.model import ALL_JOBS, OPEN_END, LostJobs, Seen
from tests.support.history_builder import HistoryBuilder, canceled, done, failed, queued, running

# Lost


def test_an_accepted_job_that_is_not_found_is_lost() -> None:
    history = HistoryBuilder()
    submit = history.submit("j1", (0, 10))
    read = history.not_found((11, 20))
    history.not_found((21, 30))
    assert history.accused() == [("lost", "j1", (submit, read))]
    assert history.verdict().counts["lost"] == 1


def test_a_job_may_be_unknown_until_its_submit_is_answered() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10))
    history.not_found((5, 20))
    history.not_found((10, 20))
    assert history.accused() == []


def test_a_job_that_has_not_ended_at_the_last_observation_is_lost() -> None:
    history = HistoryBuilder()
    submit = history.submit("j1", (0, 10))
    history.status(queued(), (11, 12), client="audit")
    last = history.status(running(), (13, 14), client="audit")
    history.status(running(), (15, 16))
    assert history.accused() == [("lost", "j1", (submit, last))]


def test_a_job_that_ended_by_the_last_observation_is_not_lost() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10))
    history.status(running(), (11, 12), client="audit")
    history.status(done(), (13, 14), client="audit")
    assert history.accused() == []
    assert history.verdict().counts["not_looked_up"] == 0


def test_a_job_whose_last_question_was_not_answered_is_not_looked_up() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10))
    history.status(running(), (11, 12), client="audit")
    history.call(lines.STATUS, "j1", (13, 14), client="audit")
    assert history.accused() == []
    assert history.verdict().counts["not_looked_up"] == 1


def test_a_job_that_nobody_audits_is_not_looked_up() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10))
    history.status(running(), (11, 12))
    assert history.accused() == []
    assert history.verdict().counts["not_looked_up"] == 1


def test_a_job_without_its_output_is_lost() -> None:
    history = HistoryBuilder()
    submit = history.submit("j1", (0, 10))
    history.status(done(), (11, 12))
    read = history.refused(lines.RESULT, "j1", (13, 14), "DATA_LOSS", "RESULT_LOST")
    assert history.accused() == [("lost", "j1", (submit, read))]


def test_a_job_of_an_indefinite_submit_may_vanish_while_it_waits() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 10)
    history.status(queued(), (11, 12))
    history.not_found((13, 14))
    assert history.accused() == []


# Unfinished


def test_a_job_that_nobody_was_promised_and_that_never_ends_is_unfinished() -> None:
    for last in (queued(), running()):
        history = HistoryBuilder()
        history.maybe_submit(0, 10)
        history.status(queued(), (11, 12))
        seen = history.page([last], (13, 14), client="audit")
        assert history.accused() == [("unfinished", "j1", (seen,))]
        assert history.verdict().counts["unfinished"] == 1


def test_a_job_that_nobody_was_promised_may_end_or_vanish_until_the_last_observation() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 10)
    history.maybe_submit(0, 10)
    history.page([queued("j2"), queued("j1")], (11, 12), client="audit")
    history.status(done(), (13, 14), client="audit")
    history.not_found((13, 14), "j2")
    history.refused(lines.STATUS, "j2", (15, 16), "NOT_FOUND", client="audit")
    assert history.accused() == []


def test_only_the_last_observations_show_that_a_job_is_unfinished() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 10)
    history.maybe_submit(0, 10)
    history.status(queued(), (11, 12))
    history.status(queued("j2"), (11, 12), client="audit")
    history.call(lines.STATUS, "j2", (13, 14), client="audit")  # and was not answered
    assert history.accused() == []


def test_a_job_that_may_be_lost_with_its_queue_may_be_unfinished() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 10)
    history.status(queued(), (11, 12))
    history.fault((20, 30), ALL_JOBS)
    history.status(queued(), (40, 41), client="audit")
    assert history.accused() == []


# Unexpected


def test_a_job_that_nobody_submitted_is_unexpected() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10))
    seen = history.status(queued("j2"), (11, 12))
    history.status(queued("j2"), (13, 14))
    assert history.accused() == [("unexpected", "j2", (seen,))]


def test_an_indefinite_submit_may_appear_at_any_time_and_is_recovered() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 10)
    history.status(queued(), (500, 510))
    assert history.accused() == []
    assert history.verdict().counts["recovered"] == 1


def test_an_indefinite_submit_makes_one_job_at_most() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 10)
    history.status(running("j1"), (11, 12))
    second = history.status(running("j2"), (13, 14))
    assert history.accused() == [("unexpected", "j2", (second,))]


def test_an_indefinite_submit_makes_a_job_of_its_kind() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 10, kind="sleep")
    seen = history.status(running(), (11, 12))
    assert history.accused() == [("unexpected", "j1", (seen,))]


def test_an_indefinite_submit_makes_nothing_before_it_is_invoked() -> None:
    history = HistoryBuilder()
    seen = history.status(running(), (0, 10))
    history.maybe_submit(11)
    assert history.accused() == [("unexpected", "j1", (seen,))]


def test_each_job_gets_a_submit_of_its_own_if_there_is_any_way() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0)
    history.maybe_submit(12)
    history.status(running("j2"), (20, 21))  # that of either
    history.status(running("j1"), (5, 11))  # only that of the first
    assert history.accused() == []
    assert history.verdict().counts["recovered"] == 2


def test_a_refused_submit_makes_no_job() -> None:
    history = HistoryBuilder()
    history.refused_submit((0, 10))
    seen = history.status(queued(), (11, 12))
    assert history.accused() == [("unexpected", "j1", (seen,))]


def test_a_refused_submit_makes_no_job_that_runs() -> None:
    history = HistoryBuilder()
    history.refused_submit((0, 10))
    seen = history.status(running(), (5, 6))
    assert history.accused() == [("unexpected", "j1", (seen,))]


def test_a_submit_that_is_being_refused_may_show_for_a_moment() -> None:
    history = HistoryBuilder()
    history.refused_submit((0, 10))
    history.status(queued(), (5, 6))
    history.not_found((7, 8))
    assert history.accused() == []
    assert history.verdict().counts["recovered"] == 0


def test_a_repeated_submit_explains_no_job_beside_its_own() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 10, request_id="r")
    history.submit("j1", (11, 12), request_id="r")
    seen = history.status(running("j2"), (13, 14))
    ((rule, job, shown),) = history.accused()
    assert (rule, job) == ("unexpected", "j2")
    assert shown == (*history.operations[:2], seen), "both submits show why neither explains it"


def test_a_repeated_submit_may_have_been_undone_before_it_was_repeated() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 10, request_id="r")
    history.status(queued("j2"), (5, 6))
    history.submit("j1", (11, 12), request_id="r")
    assert history.accused() == []


def test_a_job_that_is_there_before_its_submit_is_unexpected() -> None:
    history = HistoryBuilder()
    seen = history.status(queued(), (0, 10))
    submit = history.submit("j1", (11, 20))
    assert history.accused() == [("unexpected", "j1", (seen, submit))]


def test_a_job_may_be_there_before_the_submit_that_is_answered_with_it() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 5, request_id="r")
    history.status(queued(), (6, 10))
    history.submit("j1", (11, 20), request_id="r")
    assert history.accused() == []
    counts = history.verdict().counts
    assert (counts["accepted"], counts["recovered"]) == (1, 0)


# Duplicated


def test_equal_request_ids_make_one_job() -> None:
    history = HistoryBuilder()
    first = history.submit("j1", (0, 10), request_id="r")
    history.submit("j1", (11, 12), request_id="r")
    second = history.submit("j2", (13, 14), request_id="r")
    history.submit("j2", (15, 16), request_id="r")
    assert history.accused() == [("duplicated", "r", (first, second))]


def test_other_submits_make_other_jobs() -> None:
    history = HistoryBuilder()
    first = history.submit("j1", (0, 10), request_id="r")
    second = history.submit("j1", (11, 12))
    assert history.accused() == [("duplicated", "j1", (first, second))]


def test_a_request_id_is_not_accepted_for_another_job() -> None:
    history = HistoryBuilder()
    first = history.submit("j1", (0, 10), request_id="r")
    second = history.submit("j1", (11, 12), request_id="r", digest="other")
    assert history.accused() == [("duplicated", "r", (first, second))]


def test_equal_jobs_without_request_ids_are_two() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10))
    history.submit("j2", (0, 10))
    history.submit("j3", (0, 10), request_id="r1")
    history.submit("j4", (0, 10), request_id="r2")
    assert history.accused() == []


# Request ids


def test_a_request_id_that_nobody_used_is_not_reused() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10), request_id="other")
    refused = history.refused_submit((11, 12), "REQUEST_ID_REUSED", "r")
    history.submit("j2", (13, 14), request_id="r", digest="x")
    assert history.accused() == [("request-ids", "r", (refused,))]


def test_a_request_id_is_not_reused_for_the_same_job() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10), request_id="r")
    refused = history.refused_submit((11, 12), "REQUEST_ID_REUSED", "r")
    assert history.accused() == [("request-ids", "r", (refused,))]


def test_a_request_id_that_was_refused_is_free() -> None:
    history = HistoryBuilder()
    history.refused_submit((0, 10), "QUEUE_FULL", "r", "x")
    refused = history.refused_submit((11, 12), "REQUEST_ID_REUSED", "r")
    assert history.accused() == [("request-ids", "r", (refused,))]


def test_a_request_id_may_be_used_by_any_submit_under_way() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, request_id="r")
    history.refused_submit((11, 12), "REQUEST_ID_REUSED", "r", "other")
    history.refused_submit((20, 40), "QUEUE_FULL", "q", "x")
    history.refused_submit((30, 31), "REQUEST_ID_REUSED", "q", "y")
    assert history.accused() == []


# Terminal


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


# Steps


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


# Cancel


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


# List


def jobs(*numbers: int) -> list[Seen]:
    return [queued(f"j{number}") for number in numbers]


def submitted(*numbers: int, history: HistoryBuilder | None = None) -> HistoryBuilder:
    history = history or HistoryBuilder()
    for number in numbers:
        history.submit(f"j{number}", (0, number))
    return history


def test_a_page_is_newest_first_and_has_no_job_twice() -> None:
    for order in ((1, 2), (2, 2)):
        history = submitted(1, 2)
        page = history.page(jobs(*order), (3, 4))
        assert history.accused() == [("list", "s", (page,))]


@pytest.mark.parametrize(("size", "number"), [(2, 3), (0, 51)])
def test_a_page_is_no_longer_than_asked_for(size: int, number: int) -> None:
    history = HistoryBuilder()
    ids = [f"j{each:03}" for each in range(number)]
    for each in ids:
        history.submit(each, (0, 1))
    page = history.page([queued(each) for each in reversed(ids)], (3, 4), page_size=size)
    assert history.accused() == [("list", "s", (page,))]


def test_a_page_obeys_its_filters() -> None:
    for filters in ({"state": "RUNNING"}, {"kind": "sleep"}):
        history = submitted(1)
        page = history.page(jobs(1), (3, 4), **filters)
        assert history.accused() == [("list", "s", (page,))]


def test_a_later_page_has_older_jobs() -> None:
    for later in (3, 2):
        history = submitted(1, 2, 3)
        first = history.page(jobs(3, 2), (4, 5), more=True)
        second = history.page(jobs(later, 1), (6, 7), number=1)
        assert history.accused() == [("list", "s", (first, second))]


def test_pages_of_which_nobody_knows_what_came_before_are_judged_each_by_itself() -> None:
    history = submitted(1, 2, 3)
    history.page(jobs(3), (4, 5), more=True, scan="")
    history.page(jobs(3, 1), (6, 7), scan="")
    assert history.accused() == []
    wrong = history.page(jobs(1, 2), (8, 9), scan="")
    assert history.accused() == [("list", f"a page for {wrong.client}", (wrong,))]


def test_a_job_that_was_there_is_in_the_list() -> None:
    history = submitted(1, 2, 3)
    page = history.page(jobs(3, 1), (4, 5), page_size=10)
    assert history.accused() == [("list", "s", (history.operations[1], page))]


def test_a_job_does_not_fall_between_two_pages() -> None:
    history = submitted(1, 2, 3)
    first = history.page(jobs(3), (4, 5), more=True)
    second = history.page(jobs(1), (6, 7), number=1)
    assert history.accused() == [("list", "s", (history.operations[1], first, second))]


def test_only_the_pages_around_a_missing_job_are_shown() -> None:
    history = submitted(1, 2, 3, 4, 5)
    history.page(jobs(5), (6, 7), more=True)
    second = history.page(jobs(4, 2), (8, 9), number=1, more=True)
    history.page(jobs(1), (10, 11), number=2)
    assert history.accused() == [("list", "s", (history.operations[2], second))]


def test_a_job_above_the_last_one_of_a_page_is_missing_though_more_is_to_come() -> None:
    history = submitted(1, 2, 3)
    page = history.page(jobs(3, 1), (4, 5), more=True)
    assert history.accused() == [("list", "s", (history.operations[1], page))]


def test_jobs_that_came_meanwhile_may_be_in_the_list_or_not() -> None:
    history = submitted(1, 5)
    history.page(jobs(1), (5, 6))
    assert history.accused() == []


def test_a_terminal_job_is_in_the_list_of_its_state() -> None:
    history = submitted(1)
    shown = history.status(done(), (2, 3))
    page = history.page([], (4, 5), state="DONE")
    assert history.accused() == [("list", "s", (shown, page))]


def test_a_job_of_a_kind_is_in_the_list_of_the_kind() -> None:
    history = submitted(1)
    page = history.page([], (4, 5), kind="noop")
    assert history.accused() == [("list", "s", (history.operations[0], page))]


def test_a_job_may_leave_a_state_or_never_have_matched() -> None:
    history = submitted(1)
    history.status(queued(), (2, 3))
    history.page([], (4, 5), state="QUEUED", scan="queued")
    history.page([], (6, 7), state="DONE", scan="done")
    history.submit("j2", (8, 9), kind="sleep")
    history.page([running()], (10, 11), kind="noop", scan="noop")
    assert history.accused() == []


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING"])
def test_a_job_that_is_in_a_state_before_and_after_is_in_the_list_of_it(state: str) -> None:
    seen = queued() if state == "QUEUED" else running()
    history = submitted(1)
    before = history.status(seen, (2, 3))
    page = history.page([], (4, 5), state=state)
    after = history.status(seen, (6, 7))
    first = history.operations[0] if state == "QUEUED" else before
    assert history.accused() == [("list", "s", (first, page, after))]


def test_what_runs_and_is_not_finished_later_runs_in_between() -> None:
    history = submitted(1)
    before = history.status(running(), (2, 3))
    page = history.page([], (4, 5), state="RUNNING", kind="noop")
    after = history.not_finished((6, 7))
    assert history.accused() == [("list", "s", (before, page, after))]


def test_a_job_that_nobody_was_promised_is_in_the_list_of_its_state_too() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0)
    before = history.status(queued(), (2, 3))
    page = history.page([], (4, 5), state="QUEUED")
    after = history.status(queued(), (6, 7))
    assert history.accused() == [("list", "s", (before, page, after))]


def test_a_job_may_come_to_a_state_and_leave_it_while_the_list_is_read() -> None:
    history = submitted(1, 2)
    history.status(running(), (2, 5))  # it may have started when the page was there
    history.page([], (4, 6), state="RUNNING", scan="before")
    history.status(running(), (7, 8))
    history.page([], (9, 12), state="RUNNING", scan="after")
    history.status(running(), (11, 12))  # asked for before all of the page was there
    history.status(queued("j2"), (2, 3))
    history.page([], (4, 6), state="QUEUED", scan="left")
    history.status(running("j2"), (7, 8))
    assert history.accused() == []


def test_a_page_that_was_asked_for_again_is_judged_all_the_same() -> None:
    history = submitted(1, 2, 3)
    first = history.page(jobs(3), (4, 5), more=True)
    again = history.page(jobs(3), (6, 7), more=True)
    last = history.page(jobs(1), (8, 9), number=1)
    assert history.accused() == [("list", "s", (history.operations[1], first, again, last))]


def test_each_answer_to_a_page_that_was_asked_for_again_leaves_nothing_out() -> None:
    history = submitted(1, 2, 3, 4)
    history.page(jobs(4), (5, 6), more=True)
    history.page(jobs(3, 2, 1), (7, 8), number=1)
    again = history.page(jobs(3, 1), (9, 10), number=1)
    assert history.accused() == [("list", "s", (history.operations[1], again))]


def test_a_page_goes_on_below_one_of_the_answers_to_the_page_before() -> None:
    history = submitted(1, 2, 3, 4)
    first = history.page(jobs(4), (5, 6), more=True)
    again = history.page(jobs(4, 3), (7, 8), more=True)
    last = history.page(jobs(4), (9, 10), number=1)
    assert history.accused() == [("list", "s", (first, again, last))]
    history = submitted(1, 2, 3, 4)
    history.page(jobs(4), (5, 6), more=True)
    history.page(jobs(4, 3), (7, 8), more=True)
    history.page(jobs(3, 2, 1), (9, 10), number=1)
    history.page(jobs(2, 1), (11, 12), number=1)
    assert history.accused() == []


def test_what_came_between_two_answers_to_a_page_may_be_on_either() -> None:
    history = submitted(1, 2)
    history.page(jobs(2), (3, 4), more=True)
    history.submit("j3", (5, 6))
    history.page(jobs(3, 2), (7, 8), more=True)
    history.page(jobs(1), (9, 10), number=1)
    history.page(jobs(1), (11, 12), number=1)
    assert history.accused() == []


def test_a_listing_with_an_unanswered_page_is_judged_as_far_as_it_goes() -> None:
    history = submitted(1, 2, 3)
    history.page(jobs(3), (4, 5), more=True)
    history.page([], (8, 9), number=2)  # page 1 was not answered
    assert history.accused() == []


# State loss


HOME_0, HOME_1 = "c2h430npimg00000", "c2h430npimg10000"


def test_what_a_node_held_may_go_with_it_and_is_counted_apart() -> None:
    history = HistoryBuilder()
    history.submit(HOME_0, (0, 10), request_id="r")
    history.status(queued(HOME_0), (11, 12))
    history.fault((20, 30), (0,))
    history.not_found((40, 41), HOME_0)
    history.page([], (42, 43))
    history.submit("c2h430npimh00000", (44, 45), request_id="r")
    assert history.accused() == []
    assert history.verdict().counts["lost_with_state"] == 1


def test_what_other_nodes_held_may_not() -> None:
    history = HistoryBuilder()
    submit = history.submit(HOME_1, (0, 10))
    fault = history.fault((20, 30), (0,))
    read = history.not_found((40, 41), HOME_1)
    assert history.accused() == [("lost", HOME_1, (submit, fault, read))]


def test_what_came_after_the_fault_may_not() -> None:
    history = HistoryBuilder()
    history.fault((20, 30), (0,))
    submit = history.submit(HOME_0, (31, 32))
    read = history.not_found((40, 41), HOME_0)
    assert history.accused() == [("lost", HOME_0, (submit, read))]


def test_before_the_fault_all_rules_hold() -> None:
    history = HistoryBuilder()
    history.submit(HOME_0, (0, 1))
    first = history.status(done(HOME_0), (2, 3))
    second = history.status(failed(HOME_0), (4, 5))
    history.fault((20, 30), (0,))
    history.status(queued(HOME_0), (40, 41))
    assert history.accused() == [("terminal", HOME_0, (first, second))]


@pytest.mark.parametrize(("lost", "exempt"), [(ALL_JOBS, True), ((0, 1), True), ((), False)])
def test_a_job_may_go_with_what_held_every_job_or_its_home(lost: LostJobs, exempt: bool) -> None:
    history = HistoryBuilder()
    history.submit(HOME_0, (0, 10))
    history.fault((20, OPEN_END), lost)
    history.status(running(HOME_0), (40, 41), client="audit")
    assert (history.accused() == []) is exempt
    assert history.verdict().counts["lost_with_state"] == exempt


def test_a_loss_of_all_jobs_beside_one_of_a_home_may_have_taken_every_job() -> None:
    history = HistoryBuilder()
    history.submit(HOME_0, (0, 10))
    history.submit(HOME_1, (0, 10))
    history.submit("j1", (0, 10))
    history.fault((20, 30), (0,))
    history.fault((40, 50), ALL_JOBS)
    for job in (HOME_0, HOME_1, "j1"):
        history.not_found((60, 61), job)
    history.page([], (62, 63))
    assert history.accused() == []
    assert history.verdict().counts["lost_with_state"] == 3


def test_a_job_whose_id_names_no_home_does_not_go_with_one() -> None:
    history = HistoryBuilder()
    submit = history.submit("j1", (0, 10))
    fault = history.fault((20, 30), (0,))
    read = history.not_found((40, 41))
    assert history.accused() == [("lost", "j1", (submit, fault, read))]


# Ids


def test_ids_sort_by_creation() -> None:
    history = HistoryBuilder(ids="")
    history.maybe_submit(0)
    history.maybe_submit(0)
    second = history.status(queued("j2", create_us=99), (1, 2))
    first = history.status(queued("j1", create_us=100), (1, 3))
    history.status(queued("j3", create_us=100), (4, 5))
    history.maybe_submit(0)
    assert history.accused() == [("ids", "j2", (second, first))]


SAME_OWNER = "c2h430npim000000"


def test_ids_of_one_owner_are_in_the_order_of_acceptance() -> None:
    history = HistoryBuilder()
    first = history.submit(HOME_0, (0, 10))
    second = history.submit(SAME_OWNER, (11, 12))
    assert SAME_OWNER < HOME_0
    assert history.accused() == [("ids", SAME_OWNER, (first, second))]


def test_ids_of_one_form_with_ours_are_not_judged_as_ours_unless_the_history_says_so() -> None:
    history = HistoryBuilder(ids="")
    history.submit(HOME_0, (0, 10))
    history.submit(SAME_OWNER, (11, 12))
    assert history.accused() == []


def test_ids_may_be_in_another_order_where_it_cannot_be_known_or_kept() -> None:
    history = HistoryBuilder()
    history.submit(HOME_0, (0, 10))
    history.submit(SAME_OWNER, (9, 12))  # at the same time
    history.submit(HOME_1, (13, 14))
    history.submit("c2h430npim020000", (15, 16))  # of other owners, by other clocks
    history.maybe_submit(5, request_id="r")
    history.submit("c2h430npilo00000", (17, 18), request_id="r")  # made when it was submitted first
    history.submit("j2", (19, 20))
    history.submit("j1", (21, 22))  # of a system of which nothing is known
    assert history.accused() == []


# All rules


def test_every_rule_has_a_name_and_says_what_it_is_about() -> None:
    loaded = rules.load()
    assert [rule.name for rule in loaded] == [
        "calm-cancel", "calm-once", "cancel", "duplicated", "ids", "list", "lost", "request-ids",
        "right-output", "steps", "terminal", "unexpected", "unfinished",
    ]  # fmt: skip
    assert all(rule.about for rule in loaded)


def test_many_violations_are_all_counted_and_some_detailed() -> None:
    history = HistoryBuilder()
    for number in range(50):
        history.submit(f"j{number}", (0, 1))
        history.not_found((2, 3), f"j{number}")
    verdict = history.verdict()
    assert len(verdict.violations) == 20
    assert verdict.found["lost"] == verdict.counts["lost"] == 50


def test_a_slice_has_the_faults_that_overlap_it_and_no_others() -> None:
    history = HistoryBuilder()
    history.fault((0, 9))
    around = history.fault((12, 40))
    submit = history.submit("j1", (10, 11))
    read = history.not_found((20, 21))
    history.fault((22, 30))
    assert history.accused() == [("lost", "j1", (submit, around, read))]

"""For each rule the least that breaks it, with the exact slice, and what is innocent beside it."""

import pytest

from testbed.check import rules
from testbed.record.history import lines
from testbed.record.history.messages import digest
from testbed.record.history.model import ALL_JOBS, OPEN_END, LostJobs, Seen
from tests.support.told import Told, canceled, done, failed, queued, running

# Lost


def test_an_accepted_job_that_is_not_found_is_lost() -> None:
    told = Told()
    submit = told.submit("j1", (0, 10))
    read = told.not_found((11, 20))
    told.not_found((21, 30))
    assert told.accused() == [("lost", "j1", (submit, read))]
    assert told.verdict().counts["lost"] == 1


def test_a_job_may_be_unknown_until_its_submit_is_answered() -> None:
    told = Told()
    told.submit("j1", (0, 10))
    told.not_found((5, 20))
    told.not_found((10, 20))
    assert told.accused() == []


def test_a_job_that_has_not_ended_at_the_last_look_is_lost() -> None:
    told = Told()
    submit = told.submit("j1", (0, 10))
    told.status(queued(), (11, 12), client="audit")
    last = told.status(running(), (13, 14), client="audit")
    told.status(running(), (15, 16))
    assert told.accused() == [("lost", "j1", (submit, last))]


def test_a_job_that_ended_by_the_last_look_is_not_lost() -> None:
    told = Told()
    told.submit("j1", (0, 10))
    told.status(running(), (11, 12), client="audit")
    told.status(done(), (13, 14), client="audit")
    assert told.accused() == []
    assert told.verdict().counts["not_looked_up"] == 0


def test_a_job_whose_last_look_was_not_answered_is_not_looked_up() -> None:
    told = Told()
    told.submit("j1", (0, 10))
    told.status(running(), (11, 12), client="audit")
    told.call(lines.STATUS, "j1", (13, 14), client="audit")
    assert told.accused() == []
    assert told.verdict().counts["not_looked_up"] == 1


def test_a_job_that_nobody_audits_is_not_looked_up() -> None:
    told = Told()
    told.submit("j1", (0, 10))
    told.status(running(), (11, 12))
    assert told.accused() == []
    assert told.verdict().counts["not_looked_up"] == 1


def test_a_job_whose_output_is_gone_is_lost() -> None:
    told = Told()
    submit = told.submit("j1", (0, 10))
    told.status(done(), (11, 12))
    read = told.refused(lines.RESULT, "j1", (13, 14), "DATA_LOSS", "RESULT_LOST")
    assert told.accused() == [("lost", "j1", (submit, read))]


def test_a_job_of_an_indefinite_submit_may_vanish_while_it_waits() -> None:
    told = Told()
    told.maybe_submit(0, 10)
    told.status(queued(), (11, 12))
    told.not_found((13, 14))
    assert told.accused() == []


# Unfinished


def test_a_job_that_nobody_was_promised_and_that_never_ends_is_unfinished() -> None:
    for last in (queued(), running()):
        told = Told()
        told.maybe_submit(0, 10)
        told.status(queued(), (11, 12))
        seen = told.page([last], (13, 14), client="audit")
        assert told.accused() == [("unfinished", "j1", (seen,))]
        assert told.verdict().counts["unfinished"] == 1


def test_a_job_that_nobody_was_promised_may_end_or_vanish_until_the_last_look() -> None:
    told = Told()
    told.maybe_submit(0, 10)
    told.maybe_submit(0, 10)
    told.page([queued("j2"), queued("j1")], (11, 12), client="audit")
    told.status(done(), (13, 14), client="audit")
    told.not_found((13, 14), "j2")
    told.refused(lines.STATUS, "j2", (15, 16), "NOT_FOUND", client="audit")
    assert told.accused() == []


def test_only_the_last_looks_tell_that_a_job_is_unfinished() -> None:
    told = Told()
    told.maybe_submit(0, 10)
    told.maybe_submit(0, 10)
    told.status(queued(), (11, 12))
    told.status(queued("j2"), (11, 12), client="audit")
    told.call(lines.STATUS, "j2", (13, 14), client="audit")  # and was not answered
    assert told.accused() == []


def test_a_job_that_may_have_gone_with_its_queue_may_be_left() -> None:
    told = Told()
    told.maybe_submit(0, 10)
    told.status(queued(), (11, 12))
    told.fault((20, 30), ALL_JOBS)
    told.status(queued(), (40, 41), client="audit")
    assert told.accused() == []


# Unexpected


def test_a_job_that_nobody_submitted_is_unexpected() -> None:
    told = Told()
    told.submit("j1", (0, 10))
    seen = told.status(queued("j2"), (11, 12))
    told.status(queued("j2"), (13, 14))
    assert told.accused() == [("unexpected", "j2", (seen,))]


def test_an_indefinite_submit_may_appear_at_any_time_and_is_recovered() -> None:
    told = Told()
    told.maybe_submit(0, 10)
    told.status(queued(), (500, 510))
    assert told.accused() == []
    assert told.verdict().counts["recovered"] == 1


def test_an_indefinite_submit_makes_one_job_at_most() -> None:
    told = Told()
    told.maybe_submit(0, 10)
    told.status(running("j1"), (11, 12))
    second = told.status(running("j2"), (13, 14))
    assert told.accused() == [("unexpected", "j2", (second,))]


def test_an_indefinite_submit_makes_a_job_of_its_kind() -> None:
    told = Told()
    told.maybe_submit(0, 10, kind="sleep")
    seen = told.status(running(), (11, 12))
    assert told.accused() == [("unexpected", "j1", (seen,))]


def test_an_indefinite_submit_makes_nothing_before_it_is_invoked() -> None:
    told = Told()
    seen = told.status(running(), (0, 10))
    told.maybe_submit(11)
    assert told.accused() == [("unexpected", "j1", (seen,))]


def test_each_job_gets_a_submit_of_its_own_if_there_is_any_way() -> None:
    told = Told()
    told.maybe_submit(0)
    told.maybe_submit(12)
    told.status(running("j2"), (20, 21))  # that of either
    told.status(running("j1"), (5, 11))  # only that of the first
    assert told.accused() == []
    assert told.verdict().counts["recovered"] == 2


def test_a_refused_submit_makes_no_job() -> None:
    told = Told()
    told.refused_submit((0, 10))
    seen = told.status(queued(), (11, 12))
    assert told.accused() == [("unexpected", "j1", (seen,))]


def test_a_refused_submit_makes_no_job_that_runs() -> None:
    told = Told()
    told.refused_submit((0, 10))
    seen = told.status(running(), (5, 6))
    assert told.accused() == [("unexpected", "j1", (seen,))]


def test_a_submit_that_is_being_refused_may_show_for_a_moment() -> None:
    told = Told()
    told.refused_submit((0, 10))
    told.status(queued(), (5, 6))
    told.not_found((7, 8))
    assert told.accused() == []
    assert told.verdict().counts["recovered"] == 0


def test_a_repeated_submit_explains_no_job_beside_its_own() -> None:
    told = Told()
    told.maybe_submit(0, 10, request_id="r")
    told.submit("j1", (11, 12), request_id="r")
    seen = told.status(running("j2"), (13, 14))
    ((rule, job, shown),) = told.accused()
    assert (rule, job) == ("unexpected", "j2")
    assert shown == (*told.operations[:2], seen), "both submits show why neither explains it"


def test_a_repeated_submit_may_have_been_undone_before_it_was_repeated() -> None:
    told = Told()
    told.maybe_submit(0, 10, request_id="r")
    told.status(queued("j2"), (5, 6))
    told.submit("j1", (11, 12), request_id="r")
    assert told.accused() == []


def test_a_job_that_is_there_before_its_submit_is_unexpected() -> None:
    told = Told()
    seen = told.status(queued(), (0, 10))
    submit = told.submit("j1", (11, 20))
    assert told.accused() == [("unexpected", "j1", (seen, submit))]


def test_a_job_may_be_there_before_the_submit_that_is_answered_with_it() -> None:
    told = Told()
    told.maybe_submit(0, 5, request_id="r")
    told.status(queued(), (6, 10))
    told.submit("j1", (11, 20), request_id="r")
    assert told.accused() == []
    counts = told.verdict().counts
    assert (counts["accepted"], counts["recovered"]) == (1, 0)


# Duplicated


def test_equal_request_ids_make_one_job() -> None:
    told = Told()
    first = told.submit("j1", (0, 10), request_id="r")
    told.submit("j1", (11, 12), request_id="r")
    second = told.submit("j2", (13, 14), request_id="r")
    told.submit("j2", (15, 16), request_id="r")
    assert told.accused() == [("duplicated", "r", (first, second))]


def test_other_submits_make_other_jobs() -> None:
    told = Told()
    first = told.submit("j1", (0, 10), request_id="r")
    second = told.submit("j1", (11, 12))
    assert told.accused() == [("duplicated", "j1", (first, second))]


def test_a_request_id_is_not_accepted_for_another_job() -> None:
    told = Told()
    first = told.submit("j1", (0, 10), request_id="r")
    second = told.submit("j1", (11, 12), request_id="r", digest="other")
    assert told.accused() == [("duplicated", "r", (first, second))]


def test_equal_jobs_without_request_ids_are_two() -> None:
    told = Told()
    told.submit("j1", (0, 10))
    told.submit("j2", (0, 10))
    told.submit("j3", (0, 10), request_id="r1")
    told.submit("j4", (0, 10), request_id="r2")
    assert told.accused() == []


# Request ids


def test_a_request_id_that_nobody_used_is_not_reused() -> None:
    told = Told()
    told.submit("j1", (0, 10), request_id="other")
    refused = told.refused_submit((11, 12), "REQUEST_ID_REUSED", "r")
    told.submit("j2", (13, 14), request_id="r", digest="x")
    assert told.accused() == [("request-ids", "r", (refused,))]


def test_a_request_id_is_not_reused_for_the_same_job() -> None:
    told = Told()
    told.submit("j1", (0, 10), request_id="r")
    refused = told.refused_submit((11, 12), "REQUEST_ID_REUSED", "r")
    assert told.accused() == [("request-ids", "r", (refused,))]


def test_a_request_id_that_was_refused_is_free() -> None:
    told = Told()
    told.refused_submit((0, 10), "QUEUE_FULL", "r", "x")
    refused = told.refused_submit((11, 12), "REQUEST_ID_REUSED", "r")
    assert told.accused() == [("request-ids", "r", (refused,))]


def test_a_request_id_may_be_used_by_any_submit_under_way() -> None:
    told = Told()
    told.maybe_submit(0, request_id="r")
    told.refused_submit((11, 12), "REQUEST_ID_REUSED", "r", "other")
    told.refused_submit((20, 40), "QUEUE_FULL", "q", "x")
    told.refused_submit((30, 31), "REQUEST_ID_REUSED", "q", "y")
    assert told.accused() == []


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
    told = Told()
    told.submit("j1", (0, 1))
    told.maybe_cancel(2)
    first = told.status(done(), (11, 12))
    second = told.status(later, (5, 20), client="other")
    assert told.accused() == [("terminal", "j1", (second, first))]


def test_the_reason_of_a_failure_never_changes() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    first = told.status(failed(), (11, 12))
    second = told.page([failed(failure="OTHER")], (13, 14))
    assert told.accused() == [("terminal", "j1", (first, second))]


def test_a_result_never_changes() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    told.status(done(), (2, 3))
    first = told.result((11, 12))
    second = told.result((13, 14), digest="other")
    assert told.accused() == [("terminal", "j1", (first, second))]


def test_records_agree_with_each_other_even_if_a_result_was_there_first() -> None:
    for later in (done(attempt=2), done(finish_us=301)):
        told = Told()
        told.submit("j1", (0, 1))
        told.result((2, 3))
        first = told.status(done(), (4, 5))
        second = told.status(later, (6, 7))
        assert told.accused() == [("terminal", "j1", (first, second))]


def test_a_result_has_the_state_of_its_job() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    first = told.status(failed(), (11, 12))
    second = told.result((13, 14))
    assert told.accused() == [("terminal", "j1", (first, second))]


def test_a_terminal_job_is_never_shown_unfinished_later() -> None:
    for later in (queued(), running()):
        told = Told()
        told.submit("j1", (0, 1))
        first = told.result((11, 12))
        second = told.status(later, (13, 14), client="other")
        assert told.accused() == [("terminal", "j1", (first, second))]


def test_a_terminal_job_has_a_result() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    first = told.page([done()], (11, 12))
    second = told.not_finished((13, 14))
    assert told.accused() == [("terminal", "j1", (first, second))]


def test_a_terminal_job_is_not_forgotten_even_if_nobody_was_promised_it() -> None:
    told = Told()
    told.maybe_submit(0)
    first = told.status(done(), (11, 12))
    second = told.not_found((13, 14))
    assert told.accused() == [("terminal", "j1", (first, second))]


def test_reads_that_overlap_the_end_may_see_either() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    told.status(done(), (5, 20))
    told.status(running(), (6, 30))
    told.not_finished((20, 30))  # asked for in the microsecond of the answer
    told.page([queued()], (2, 7))
    assert told.accused() == []


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
    told = Told()
    told.submit("j1", (0, 1))
    told.maybe_cancel(2)
    shown = told.status(seen, (11, 12))
    assert told.accused() == [("steps", "j1", (shown,))]


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
    told = Told()
    told.submit("j1", (0, 1))
    told.maybe_cancel(2)
    told.status(seen, (11, 12))
    assert told.accused() == []


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
    told = Told()
    told.submit("j1", (0, 1))
    told.maybe_cancel(2)
    first = told.status(earlier, (11, 12), client="one")
    second = told.status(later, (13, 14), client="other")
    assert told.accused() == [("steps", "j1", (first, second))]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_job_that_is_not_done_has_no_output(state: str) -> None:
    failure = "WHY" if state == "FAILED" else ""
    for output in (digest(b"x"), digest(b""), ""):
        told = Told()
        told.submit("j1", (0, 1))
        told.maybe_cancel(2)
        shown = told.result((3, 4), state=state, digest=output, failure=failure)
        guilty = [("steps", "j1", (shown,))] if output == digest(b"x") else []
        assert told.accused() == guilty


@pytest.mark.parametrize(("state", "failure"), [("DONE", "WHY"), ("FAILED", "")])
def test_a_result_has_a_failure_exactly_if_the_job_failed(state: str, failure: str) -> None:
    told = Told()
    told.submit("j1", (0, 1))
    shown = told.result((3, 4), state=state, digest=digest(b""), failure=failure)
    assert told.accused() == [("steps", "j1", (shown,))]


def test_overlapping_reads_may_see_steps_in_any_order() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    told.maybe_cancel(2)
    for number, seen in enumerate(
        [done(attempt=3), running(attempt=3), running(cancel_requested=True), running(), queued()]
    ):
        told.status(seen, (3 + number, 50))
    assert told.accused() == []


def test_steps_may_be_missed_and_attempts_skipped() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    told.status(queued(), (2, 3))
    told.status(running(attempt=2), (4, 5))
    told.status(done(attempt=5), (6, 7))
    told.submit("j2", (0, 1))
    told.status(queued("j2"), (2, 3))
    told.status(failed("j2"), (4, 5))
    assert told.accused() == []


def test_no_attempt_is_above_that_of_the_end() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    first = told.status(running(attempt=3), (5, 20))
    second = told.status(done(attempt=2), (6, 21))
    assert told.accused() == [("steps", "j1", (first, second))]


def test_a_job_has_the_kind_that_was_submitted() -> None:
    told = Told()
    submit = told.submit("j1", (0, 1), kind="sleep")
    shown = told.status(queued(), (2, 3))
    assert told.accused() == [("steps", "j1", (submit, shown))]


def test_an_answer_is_about_the_job_that_was_asked_for() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    told.submit("j2", (0, 1))
    shown = told.answered(lines.STATUS, "j1", (2, 3), queued("j2"))
    assert told.accused() == [("steps", "j1", (shown,))]


def test_nothing_is_canceled_unless_somebody_asked_for_it() -> None:
    for seen in (canceled(), running(cancel_requested=True)):
        told = Told()
        told.submit("j1", (0, 1))
        shown = told.status(seen, (2, 3))
        told.maybe_cancel(4)
        assert told.accused() == [("steps", "j1", (shown,))]


def test_a_refused_cancel_cancels_nothing() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    told.refused(lines.CANCEL, "j1", (2, 3), "RESOURCE_EXHAUSTED")
    shown = told.status(canceled(), (4, 5))
    assert told.accused() == [("steps", "j1", (shown,))]


def test_an_indefinite_cancel_may_take_effect_at_any_time() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    told.maybe_cancel(2)
    told.status(queued(), (500, 501))
    told.status(canceled(), (502, 503))
    assert told.accused() == []


def test_a_job_that_was_withdrawn_does_not_come_back() -> None:
    told = Told()
    told.maybe_submit(0)
    first = told.status(queued(), (1, 2))
    gone = told.not_found((3, 4))
    again = told.status(queued(), (5, 6))
    assert told.accused() == [("steps", "j1", (first, gone, again))]


# Cancel


@pytest.mark.parametrize("later", [running(), done(), failed(), running(cancel_requested=True)])
def test_a_job_that_was_canceled_in_the_queue_never_starts(later: Seen) -> None:
    told = Told()
    told.submit("j1", (0, 1))
    cancel = told.cancel(canceled(), (2, 3))
    shown = told.status(later, (4, 5))
    assert told.accused() == [("cancel", "j1", (cancel, shown))]


def test_a_cancel_is_acknowledged_only_if_the_job_did_not_start_meanwhile() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    shown = told.result((2, 9))
    cancel = told.cancel(canceled(), (3, 8))
    assert told.accused() == [("cancel", "j1", (shown, cancel))]


def test_a_cancel_of_a_terminal_job_returns_it_unchanged() -> None:
    for answer in (failed(), canceled(), running(cancel_requested=True)):
        told = Told()
        told.submit("j1", (0, 1))
        shown = told.status(done(), (2, 3))
        cancel = told.cancel(answer, (4, 5))
        assert told.accused() == [("cancel", "j1", (shown, cancel))]


def test_a_cancel_returns_the_record_of_a_terminal_job_even_if_its_result_was_read_first() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    told.result((2, 3))
    shown = told.status(done(), (4, 5))
    cancel = told.cancel(done(finish_us=301), (6, 7))
    assert told.accused() == [("cancel", "j1", (shown, cancel))]


def test_a_cancel_that_is_answered_leaves_nothing_queued() -> None:
    for answer in (queued(), running()):
        told = Told()
        told.submit("j1", (0, 1))
        cancel = told.cancel(answer, (4, 5))
        assert told.accused() == [("cancel", "j1", (cancel,))]


def test_a_cancel_of_a_running_job_may_come_too_late() -> None:
    told = Told()
    told.submit("j1", (0, 1))
    told.cancel(running(cancel_requested=True), (2, 3))
    told.status(done(cancel_requested=True), (4, 5))
    told.cancel(done(cancel_requested=True), (6, 7))
    assert told.accused() == []


# List


def jobs(*numbers: int) -> list[Seen]:
    return [queued(f"j{number}") for number in numbers]


def submitted(*numbers: int, told: Told | None = None) -> Told:
    told = told or Told()
    for number in numbers:
        told.submit(f"j{number}", (0, number))
    return told


def test_a_page_is_newest_first_and_has_no_job_twice() -> None:
    for order in ((1, 2), (2, 2)):
        told = submitted(1, 2)
        page = told.page(jobs(*order), (3, 4))
        assert told.accused() == [("list", "s", (page,))]


@pytest.mark.parametrize(("size", "number"), [(2, 3), (0, 51)])
def test_a_page_is_no_longer_than_asked_for(size: int, number: int) -> None:
    told = Told()
    ids = [f"j{each:03}" for each in range(number)]
    for each in ids:
        told.submit(each, (0, 1))
    page = told.page([queued(each) for each in reversed(ids)], (3, 4), page_size=size)
    assert told.accused() == [("list", "s", (page,))]


def test_a_page_obeys_its_filters() -> None:
    for filters in ({"state": "RUNNING"}, {"kind": "sleep"}):
        told = submitted(1)
        page = told.page(jobs(1), (3, 4), **filters)
        assert told.accused() == [("list", "s", (page,))]


def test_a_later_page_has_older_jobs() -> None:
    for later in (3, 2):
        told = submitted(1, 2, 3)
        first = told.page(jobs(3, 2), (4, 5), more=True)
        second = told.page(jobs(later, 1), (6, 7), number=1)
        assert told.accused() == [("list", "s", (first, second))]


def test_pages_of_which_nobody_knows_what_came_before_are_judged_each_by_itself() -> None:
    told = submitted(1, 2, 3)
    told.page(jobs(3), (4, 5), more=True, scan="")
    told.page(jobs(3, 1), (6, 7), scan="")
    assert told.accused() == []
    wrong = told.page(jobs(1, 2), (8, 9), scan="")
    assert told.accused() == [("list", f"a page for {wrong.client}", (wrong,))]


def test_a_job_that_was_there_is_in_the_list() -> None:
    told = submitted(1, 2, 3)
    page = told.page(jobs(3, 1), (4, 5), page_size=10)
    assert told.accused() == [("list", "s", (told.operations[1], page))]


def test_a_job_does_not_fall_between_two_pages() -> None:
    told = submitted(1, 2, 3)
    first = told.page(jobs(3), (4, 5), more=True)
    second = told.page(jobs(1), (6, 7), number=1)
    assert told.accused() == [("list", "s", (told.operations[1], first, second))]


def test_only_the_pages_around_a_missing_job_are_shown() -> None:
    told = submitted(1, 2, 3, 4, 5)
    told.page(jobs(5), (6, 7), more=True)
    second = told.page(jobs(4, 2), (8, 9), number=1, more=True)
    told.page(jobs(1), (10, 11), number=2)
    assert told.accused() == [("list", "s", (told.operations[2], second))]


def test_a_job_above_the_last_one_of_a_page_is_missing_though_more_is_to_come() -> None:
    told = submitted(1, 2, 3)
    page = told.page(jobs(3, 1), (4, 5), more=True)
    assert told.accused() == [("list", "s", (told.operations[1], page))]


def test_jobs_that_came_meanwhile_may_be_in_the_list_or_not() -> None:
    told = submitted(1, 5)
    told.page(jobs(1), (5, 6))
    assert told.accused() == []


def test_a_terminal_job_is_in_the_list_of_its_state() -> None:
    told = submitted(1)
    shown = told.status(done(), (2, 3))
    page = told.page([], (4, 5), state="DONE")
    assert told.accused() == [("list", "s", (shown, page))]


def test_a_job_of_a_kind_is_in_the_list_of_the_kind() -> None:
    told = submitted(1)
    page = told.page([], (4, 5), kind="noop")
    assert told.accused() == [("list", "s", (told.operations[0], page))]


def test_a_job_may_leave_a_state_or_never_have_matched() -> None:
    told = submitted(1)
    told.status(queued(), (2, 3))
    told.page([], (4, 5), state="QUEUED", scan="queued")
    told.page([], (6, 7), state="DONE", scan="done")
    told.submit("j2", (8, 9), kind="sleep")
    told.page([running()], (10, 11), kind="noop", scan="noop")
    assert told.accused() == []


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING"])
def test_a_job_that_is_in_a_state_before_and_after_is_in_the_list_of_it(state: str) -> None:
    seen = queued() if state == "QUEUED" else running()
    told = submitted(1)
    before = told.status(seen, (2, 3))
    page = told.page([], (4, 5), state=state)
    after = told.status(seen, (6, 7))
    first = told.operations[0] if state == "QUEUED" else before
    assert told.accused() == [("list", "s", (first, page, after))]


def test_what_runs_and_is_not_finished_later_runs_in_between() -> None:
    told = submitted(1)
    before = told.status(running(), (2, 3))
    page = told.page([], (4, 5), state="RUNNING", kind="noop")
    after = told.not_finished((6, 7))
    assert told.accused() == [("list", "s", (before, page, after))]


def test_a_job_that_nobody_was_promised_is_in_the_list_of_its_state_too() -> None:
    told = Told()
    told.maybe_submit(0)
    before = told.status(queued(), (2, 3))
    page = told.page([], (4, 5), state="QUEUED")
    after = told.status(queued(), (6, 7))
    assert told.accused() == [("list", "s", (before, page, after))]


def test_a_job_may_come_to_a_state_and_leave_it_while_the_list_is_read() -> None:
    told = submitted(1, 2)
    told.status(running(), (2, 5))  # it may have started when the page was there
    told.page([], (4, 6), state="RUNNING", scan="before")
    told.status(running(), (7, 8))
    told.page([], (9, 12), state="RUNNING", scan="after")
    told.status(running(), (11, 12))  # asked for before all of the page was there
    told.status(queued("j2"), (2, 3))
    told.page([], (4, 6), state="QUEUED", scan="left")
    told.status(running("j2"), (7, 8))
    assert told.accused() == []


def test_a_page_that_was_asked_for_again_is_judged_all_the_same() -> None:
    told = submitted(1, 2, 3)
    first = told.page(jobs(3), (4, 5), more=True)
    again = told.page(jobs(3), (6, 7), more=True)
    last = told.page(jobs(1), (8, 9), number=1)
    assert told.accused() == [("list", "s", (told.operations[1], first, again, last))]


def test_each_answer_to_a_page_that_was_asked_for_again_leaves_nothing_out() -> None:
    told = submitted(1, 2, 3, 4)
    told.page(jobs(4), (5, 6), more=True)
    told.page(jobs(3, 2, 1), (7, 8), number=1)
    again = told.page(jobs(3, 1), (9, 10), number=1)
    assert told.accused() == [("list", "s", (told.operations[1], again))]


def test_a_page_goes_on_below_one_of_the_answers_to_the_page_before() -> None:
    told = submitted(1, 2, 3, 4)
    first = told.page(jobs(4), (5, 6), more=True)
    again = told.page(jobs(4, 3), (7, 8), more=True)
    last = told.page(jobs(4), (9, 10), number=1)
    assert told.accused() == [("list", "s", (first, again, last))]
    told = submitted(1, 2, 3, 4)
    told.page(jobs(4), (5, 6), more=True)
    told.page(jobs(4, 3), (7, 8), more=True)
    told.page(jobs(3, 2, 1), (9, 10), number=1)
    told.page(jobs(2, 1), (11, 12), number=1)
    assert told.accused() == []


def test_what_came_between_two_answers_to_a_page_may_be_on_either() -> None:
    told = submitted(1, 2)
    told.page(jobs(2), (3, 4), more=True)
    told.submit("j3", (5, 6))
    told.page(jobs(3, 2), (7, 8), more=True)
    told.page(jobs(1), (9, 10), number=1)
    told.page(jobs(1), (11, 12), number=1)
    assert told.accused() == []


def test_a_listing_with_an_unanswered_page_is_judged_as_far_as_it_goes() -> None:
    told = submitted(1, 2, 3)
    told.page(jobs(3), (4, 5), more=True)
    told.page([], (8, 9), number=2)  # page 1 was not answered
    assert told.accused() == []


# State loss


HOME_0, HOME_1 = "c2h430npimg00000", "c2h430npimg10000"


def test_what_a_node_held_may_go_with_it_and_is_counted_apart() -> None:
    told = Told()
    told.submit(HOME_0, (0, 10), request_id="r")
    told.status(queued(HOME_0), (11, 12))
    told.fault((20, 30), (0,))
    told.not_found((40, 41), HOME_0)
    told.page([], (42, 43))
    told.submit("c2h430npimh00000", (44, 45), request_id="r")
    assert told.accused() == []
    assert told.verdict().counts["lost_with_state"] == 1


def test_what_other_nodes_held_may_not() -> None:
    told = Told()
    submit = told.submit(HOME_1, (0, 10))
    fault = told.fault((20, 30), (0,))
    read = told.not_found((40, 41), HOME_1)
    assert told.accused() == [("lost", HOME_1, (submit, fault, read))]


def test_what_came_after_the_fault_may_not() -> None:
    told = Told()
    told.fault((20, 30), (0,))
    submit = told.submit(HOME_0, (31, 32))
    read = told.not_found((40, 41), HOME_0)
    assert told.accused() == [("lost", HOME_0, (submit, read))]


def test_before_the_fault_all_rules_hold() -> None:
    told = Told()
    told.submit(HOME_0, (0, 1))
    first = told.status(done(HOME_0), (2, 3))
    second = told.status(failed(HOME_0), (4, 5))
    told.fault((20, 30), (0,))
    told.status(queued(HOME_0), (40, 41))
    assert told.accused() == [("terminal", HOME_0, (first, second))]


@pytest.mark.parametrize(("lost", "exempt"), [(ALL_JOBS, True), ((0, 1), True), ((), False)])
def test_a_job_may_go_with_what_held_every_job_or_its_home(lost: LostJobs, exempt: bool) -> None:
    told = Told()
    told.submit(HOME_0, (0, 10))
    told.fault((20, OPEN_END), lost)
    told.status(running(HOME_0), (40, 41), client="audit")
    assert (told.accused() == []) is exempt
    assert told.verdict().counts["lost_with_state"] == exempt


def test_a_loss_of_all_jobs_beside_one_of_a_home_may_have_taken_every_job() -> None:
    told = Told()
    told.submit(HOME_0, (0, 10))
    told.submit(HOME_1, (0, 10))
    told.submit("j1", (0, 10))
    told.fault((20, 30), (0,))
    told.fault((40, 50), ALL_JOBS)
    for job in (HOME_0, HOME_1, "j1"):
        told.not_found((60, 61), job)
    told.page([], (62, 63))
    assert told.accused() == []
    assert told.verdict().counts["lost_with_state"] == 3


def test_a_job_whose_id_names_no_home_does_not_go_with_one() -> None:
    told = Told()
    submit = told.submit("j1", (0, 10))
    fault = told.fault((20, 30), (0,))
    read = told.not_found((40, 41))
    assert told.accused() == [("lost", "j1", (submit, fault, read))]


# Ids


def test_ids_sort_by_creation() -> None:
    told = Told(ids="")
    told.maybe_submit(0)
    told.maybe_submit(0)
    second = told.status(queued("j2", create_us=99), (1, 2))
    first = told.status(queued("j1", create_us=100), (1, 3))
    told.status(queued("j3", create_us=100), (4, 5))
    told.maybe_submit(0)
    assert told.accused() == [("ids", "j2", (second, first))]


SAME_OWNER = "c2h430npim000000"


def test_ids_of_one_owner_are_in_the_order_of_acceptance() -> None:
    told = Told()
    first = told.submit(HOME_0, (0, 10))
    second = told.submit(SAME_OWNER, (11, 12))
    assert SAME_OWNER < HOME_0
    assert told.accused() == [("ids", SAME_OWNER, (first, second))]


def test_ids_of_one_form_with_ours_are_not_judged_as_ours_unless_the_history_says_so() -> None:
    told = Told(ids="")
    told.submit(HOME_0, (0, 10))
    told.submit(SAME_OWNER, (11, 12))
    assert told.accused() == []


def test_ids_may_be_in_another_order_where_it_cannot_be_told_or_kept() -> None:
    told = Told()
    told.submit(HOME_0, (0, 10))
    told.submit(SAME_OWNER, (9, 12))  # at the same time
    told.submit(HOME_1, (13, 14))
    told.submit("c2h430npim020000", (15, 16))  # of other owners, by other clocks
    told.maybe_submit(5, request_id="r")
    told.submit("c2h430npilo00000", (17, 18), request_id="r")  # made when it was submitted first
    told.submit("j2", (19, 20))
    told.submit("j1", (21, 22))  # of a system of which nothing is known
    assert told.accused() == []


# All rules


def test_every_rule_has_a_name_and_says_what_it_is_about() -> None:
    loaded = rules.load()
    assert [rule.name for rule in loaded] == [
        "calm-cancel", "calm-once", "cancel", "duplicated", "ids", "list", "lost", "request-ids",
        "right-output", "steps", "terminal", "unexpected", "unfinished",
    ]  # fmt: skip
    assert all(rule.about for rule in loaded)


def test_many_violations_are_all_counted_and_some_detailed() -> None:
    told = Told()
    for number in range(50):
        told.submit(f"j{number}", (0, 1))
        told.not_found((2, 3), f"j{number}")
    verdict = told.verdict()
    assert len(verdict.violations) == 20
    assert verdict.found["lost"] == verdict.counts["lost"] == 50


def test_a_slice_has_the_faults_that_overlap_it_and_no_others() -> None:
    told = Told()
    told.fault((0, 9))
    around = told.fault((12, 40))
    submit = told.submit("j1", (10, 11))
    read = told.not_found((20, 21))
    told.fault((22, 30))
    assert told.accused() == [("lost", "j1", (submit, around, read))]

"""A system that forgets what has ended: when it may, when it must not, and what never comes back.

Retention is 60 s here, and clocks of those who share a store may differ by one.
"""

from tests.support.history_builder import HistoryBuilder, done, queued, running

S = 1_000_000
RETENTION = 60


def kept() -> HistoryBuilder:
    return HistoryBuilder(retention_us=RETENTION * S)


def test_a_job_is_forgotten_when_its_retention_may_be_over() -> None:
    history = kept()
    history.submit("j1", (0, 10))
    history.status(done(), (2 * S, 3 * S))
    history.not_found((60 * S, 61 * S))
    assert history.accused() == []


def test_a_job_that_is_forgotten_before_is_lost() -> None:
    history = kept()
    submit = history.submit("j1", (0, 10))
    history.status(done(), (2 * S, 3 * S))
    read = history.not_found((57 * S, 58 * S))
    assert history.accused() == [("lost", "j1", (submit, read))]


def test_the_retention_begins_when_the_job_was_last_seen_unfinished() -> None:
    history = kept()
    submit = history.submit("j1", (0, 10))
    history.status(running(), (30 * S, 31 * S))
    read = history.not_found((80 * S, 81 * S))
    assert history.accused() == [("lost", "j1", (submit, read))]


def test_the_retention_begins_when_the_job_ended_by_its_own_times() -> None:
    history = kept()
    submit = history.submit("j1", (0, 10))
    history.status(done(finish_us=100 + 30 * S), (31 * S, 32 * S))
    read = history.not_found((80 * S, 81 * S))
    assert history.accused() == [("lost", "j1", (submit, read))]


def test_where_a_clock_was_set_a_job_may_be_taken_for_older() -> None:
    history = kept()
    history.submit("j1", (0, 10))
    history.status(done(), (2 * S, 3 * S))
    history.fault((4 * S, 9 * S), kind="clock")
    history.not_found((10 * S, 11 * S))
    assert history.accused() == []


def test_without_a_retention_nothing_is_forgotten() -> None:
    history = HistoryBuilder()
    submit = history.submit("j1", (0, 10))
    history.status(done(), (2 * S, 3 * S))
    read = history.not_found((1000 * S, 1001 * S))
    assert history.accused() == [("lost", "j1", (submit, read))]


def test_a_forgotten_job_does_not_come_back() -> None:
    history = kept()
    submit = history.submit("j1", (0, 10))
    history.status(done(), (2 * S, 3 * S))
    gone = history.not_found((70 * S, 71 * S))
    back = history.status(done(), (72 * S, 73 * S))
    assert history.accused() == [("steps", "j1", (submit, gone, back))]


def test_a_forgotten_job_that_was_never_seen_does_not_come_back_either() -> None:
    history = kept()
    submit = history.submit("j1", (0, 10))
    gone = history.not_found((70 * S, 71 * S))
    back = history.page([done()], (72 * S, 73 * S))
    assert history.accused() == [("steps", "j1", (submit, gone, back))]


def test_no_submit_is_answered_with_a_forgotten_job() -> None:
    history = kept()
    first = history.submit("j1", (0, 10), request_id="r")
    gone = history.not_found((70 * S, 71 * S))
    again = history.submit("j1", (72 * S, 73 * S), request_id="r")
    assert history.accused() == [("steps", "j1", (first, gone, again))]


def test_answers_that_overlap_may_disagree_on_whether_a_job_is_forgotten() -> None:
    history = kept()
    history.submit("j1", (0, 10))
    history.not_found((70 * S, 72 * S))
    history.status(done(), (71 * S, 73 * S))
    assert history.accused() == []


def test_a_list_may_leave_out_a_job_from_its_expiry_on_and_not_before() -> None:
    history = kept()
    submit = history.submit("j1", (0, 10))
    history.status(done(), (2 * S, 3 * S))
    early = history.page([], (50 * S, 51 * S), scan="early")
    history.page([], (70 * S, 71 * S), scan="late")
    assert history.accused() == [("list", "early", (submit, early))]


def test_a_request_id_makes_another_job_once_the_first_is_forgotten() -> None:
    history = kept()
    history.submit("j1", (0, 10), request_id="r")
    history.submit("j2", (70 * S, 71 * S), request_id="r", digest="other")
    assert history.accused() == []


def test_a_request_id_makes_no_other_job_before() -> None:
    history = kept()
    first = history.submit("j1", (0, 10), request_id="r")
    second = history.submit("j2", (50 * S, 51 * S), request_id="r")
    assert history.accused() == [("duplicated", "r", (first, second))]


def test_a_request_id_whose_job_was_seen_unfinished_makes_no_other() -> None:
    history = kept()
    first = history.submit("j1", (0, 10), request_id="r")
    history.status(queued(), (50 * S, 51 * S))
    second = history.submit("j2", (70 * S, 71 * S), request_id="r")
    assert history.accused() == [("duplicated", "r", (first, second))]


def test_a_request_id_does_not_return_to_its_forgotten_job() -> None:
    history = kept()
    first = history.submit("j1", (0, 10), request_id="r")
    second = history.submit("j2", (70 * S, 71 * S), request_id="r")
    again = history.submit("j1", (72 * S, 73 * S), request_id="r")
    assert history.accused() == [("duplicated", "r", (first, second, again))]


def test_an_unanswered_submit_may_make_a_job_after_that_of_its_repeat_is_forgotten() -> None:
    history = kept()
    history.maybe_submit(0, 5, request_id="r")
    history.submit("j1", (10, 20), request_id="r")
    history.status(queued("j2"), (70 * S, 71 * S))
    assert history.accused() == []


def test_expired_jobs_are_counted_apart_and_so_are_those_that_nobody_saw_end() -> None:
    history = kept()
    for job in ("j1", "j2", "j3"):
        history.submit(job, (0, 10))
    history.status(done("j1"), (2 * S, 3 * S))
    for job in ("j1", "j2"):
        history.refused("GetJobStatus", job, (70 * S, 71 * S), "NOT_FOUND", client="audit")
    history.status(done("j3"), (70 * S, 71 * S), client="audit")
    verdict = history.verdict()
    assert verdict.clean
    counts = verdict.counts
    assert (counts["expired"], counts["expired_unseen"], counts["lost"]) == (2, 1, 0)

"""Unexpected jobs: the least that breaks a rule, with its slice, and what is innocent."""

from tests.support.history_builder import HistoryBuilder, queued, running


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

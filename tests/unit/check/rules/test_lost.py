"""Lost and unfinished jobs: the least that breaks a rule, with its slice, and what is innocent."""

from testbed.record.history import lines
from testbed.record.history.model import ALL_JOBS
from tests.support.history_builder import HistoryBuilder, done, queued, running


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

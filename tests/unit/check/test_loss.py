"""State that is lost with its process: what may go with it, and what may not."""

import pytest

from testbed.record.history.model import ALL_JOBS, OPEN_END, LostJobs
from tests.support.history_builder import HistoryBuilder, done, failed, queued, running

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

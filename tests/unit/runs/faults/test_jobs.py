from __future__ import annotations

import pytest

from testbed.record.history.model import Listed, Page, Result
from testbed.runs.faults.figures import Parts
from testbed.runs.faults.figures.groups import LOSING, Group, Spread, by_kind, by_state, everything
from testbed.runs.faults.figures.model import Recovery
from tests.unit.runs.faults.histories import Story, every, seen

NODES = Parts(
    frozenset({"node-1", "node-2"}),
    {"h:1": "node-1", "h:2": "node-2", "h:3": "node-3"},
)


@pytest.fixture
def story() -> Story:
    found = Story()
    found.answered([0, 40])
    return found


def times(*values: float) -> tuple[object, ...]:
    return tuple(pytest.approx(value, abs=2e-3) for value in values)


def test_jobs_on_a_killed_worker_are_counted_by_what_became_of_them(story: Story) -> None:
    story.fault(10, 15, "kill", ["worker"])
    for job_id, start in (("rerun", 9.8), ("never", 9.9), ("on-another", 9.9)):
        worker = "worker-2" if job_id == "on-another" else "worker"
        story.call(9.95, asked=job_id, answer=seen(job_id, "RUNNING", 1, worker, start))
    story.job("rerun", 9.0, 12.5, 12.6, attempt=2)
    story.job("never", 9.0, 9.9, problem="still RUNNING 60 s after the drive")
    story.job("on-another", 9.0, 9.9, 11, worker="worker-2")
    story.job("went-on", 9.0, 9.9, 10.4)
    story.job("over", 9.0, 9.1, 9.2)
    story.job("later", 11.0, 13, 14)
    assert story.figures().faults[0].recovery == Recovery(3, times(2.5), 1, 1)


def test_job_that_a_dying_worker_still_started_is_held_too(story: Story) -> None:
    story.fault(10, 15)
    story.call(10.1, asked="late", answer=seen("late", "RUNNING", 1, "worker", 10.05))
    story.job("late", 10.04, 13, 14, attempt=2)
    story.job("after", 10.5, 14, 15)
    assert story.figures().faults[0].recovery == Recovery(1, times(3))


def test_next_attempt_counts_and_not_the_last_one(story: Story) -> None:
    story.fault(10, 15)
    story.call(9.95, asked="j", answer=seen("j", "RUNNING", 1, "worker", 9.9))
    story.call(
        13,
        call="ListJobs",
        asked=Page("s", 0),
        answer=Listed((seen("j", "RUNNING", 2, "worker", 12),), False),
    )
    story.job("j", 9.0, 22, 23, attempt=4)
    figures = story.figures()
    assert figures.faults[0].recovery == Recovery(1, times(2.0))
    assert (figures.jobs.run_again, figures.jobs.excess_seen, figures.jobs.excess_at_most) == (
        1,
        2,
        3,
    )


def test_job_that_nobody_saw_running_is_inferred_from_its_second_attempt(story: Story) -> None:
    story.fault(10, 15)
    story.fault(20, 25)
    story.job("first", 9.0, 13, 13.1, attempt=2)
    story.job("second", 9.0, 24, 24.1, attempt=2)
    story.job("queued", 9.0, 12, 12.1, attempt=1)
    first, second = (fault.recovery for fault in story.figures().faults)
    assert first == Recovery(inferred_s=times(3))
    assert second == Recovery(inferred_s=times(4))


def test_fault_on_a_part_that_runs_no_jobs_has_no_recovery(story: Story) -> None:
    story.fault(10, 15, "kill", ["gateway"])
    story.fault(20, 25, "cut", ["worker>coordinator"])
    story.job("j", 9, 19, 30)
    assert [each.recovery for each in story.figures().faults] == [None, Recovery(1, went_on=1)]


def test_backlog_and_the_time_until_it_is_as_before(story: Story) -> None:
    for number in range(3):
        story.job(f"always-{number}", 0, 1, 40)
    for number, at in enumerate(every(0.5, 10, 20)):
        story.job(f"held-{number}", at, 20, 20 + number / 10)
    story.fault(10, 15)
    found = story.figures().faults[0].backlog
    assert found is not None
    assert (found.before, found.at_end, found.peak) == (3, 3 + 11, 3 + 20)
    # Of 23 jobs 6 are left: 3 as before, and within the scatter of such a count 3 more.
    assert found.drain_s == pytest.approx(20 + 16 / 10 - 15)
    assert found.watched_s == pytest.approx(25, abs=2e-3)


def test_backlog_that_has_not_drained_by_the_next_fault_is_reported_as_that(story: Story) -> None:
    for number in range(10):
        story.job(f"held-{number}", 11, 31, 32)
    story.fault(10, 15)
    story.fault(20, 25)
    figures = story.figures()
    first, second = (each.backlog for each in figures.faults)
    assert first is not None
    assert (first.before, first.at_end, first.drain_s, first.watched_s) == (0, 10, None, 5)
    assert second is not None
    assert (second.before, second.drain_s) == (10, 0)
    group = everything(figures.faults)
    assert (group.undrained(), group.drained()) == (1, Spread(1, 0, 0, 0))


def test_level_before_is_the_median_over_time_and_not_over_changes(story: Story) -> None:
    for number, at in enumerate(every(0.001, 6, 6.2)):
        story.job(f"burst-{number}", at, 6.25, 6.3)
    story.job("steady", 0, 1, 40)
    story.fault(10, 15)
    found = story.figures().faults[0].backlog
    assert found is not None
    assert found.before == 1


def test_jobs_with_impossible_times_are_left_out_and_counted(story: Story) -> None:
    story.job("fine", 1, 2, 3)
    story.job("backwards", 5, 4, 6)
    story.job("before", -3600, -3599, 2)
    story.job("gone", None, state="MISSING", problem="NOT_FOUND: no such job")
    figures = story.figures()
    assert figures.untimed == 3
    assert max(figures.timeline.backlog) == 1


def test_lost_state_of_one_of_several_nodes_and_its_share() -> None:
    story = Story("b", "six monolith nodes", NODES)
    for number in range(6):
        story.accepted(f"j{number}", number, f"h:{number % 3 + 1}")
    story.fault(10, 15, "kill", ["node-2"], ["node-2"])
    story.fault(20, 25, "kill", ["node-1"], ["node-1"])
    story.accepted("later", 26, "h:3")
    for number in range(6):
        lost = number % 3 != 2
        problem = "NOT_FOUND: no such job" if lost else ""
        state = "MISSING" if lost else "DONE"
        story.job(f"j{number}", None if lost else number, problem=problem, state=state)
    figures = story.figures()
    losses = [each.loss for each in figures.faults]
    assert [(each.processes, each.accepted_before, each.jobs) for each in losses if each] == [
        (("node-2",), 6, 2),
        (("node-1",), 6, 2),
    ]
    assert [each.share for each in losses if each] == [pytest.approx(1 / 3)] * 2
    assert [each.sure for each in losses if each] == [0, 0]
    assert [group.name for group in by_state(figures.faults)] == [LOSING]


def test_job_shown_after_one_loss_went_with_a_later_one(story: Story) -> None:
    story.accepted("x", 1)
    story.fault(10, 15, "kill", ["job"], ["job"])
    story.call(16, asked="x", answer=seen("x", "QUEUED"))
    story.fault(20, 25, "kill", ["queue"], ["queue"])
    story.call(26, asked="x", code="NOT_FOUND", definite=True)
    story.fault(30, 35, "kill", ["job"], ["job"])
    story.job("x", None, state="MISSING", problem="NOT_FOUND: no such job")
    losses = [each.loss for each in story.figures().faults]
    assert [(each.jobs, each.sure) for each in losses if each] == [(0, 0), (1, 1), (0, 0)]


def test_lost_job_that_no_loss_of_state_explains_is_counted(story: Story) -> None:
    story.fault(5, 6, "kill", ["job"], ["job"])
    story.accepted("j", 10)
    story.job("j", 10, problem="still QUEUED 60 s after the drive")
    figures = story.figures()
    assert figures.unexplained == 1
    loss = figures.faults[0].loss
    assert loss is not None
    assert (loss.accepted_before, loss.jobs, loss.share) == (0, 0, None)


def test_lost_result_of_a_job_that_is_kept_goes_to_the_fault_after_it_was_read(
    story: Story,
) -> None:
    for job_id in ("read", "unread"):
        story.accepted(job_id, 1)
        story.job(job_id, 1, 2, 3)
    story.fault(10, 11, "kill", ["result"], ["result"])
    story.call(15, call="GetJobResult", asked="read", answer=Result("DONE", "d"))
    story.fault(20, 21, "kill", ["result"], ["result"])
    for job_id in ("read", "unread"):
        story.call(
            39,
            call="GetJobResult",
            asked=job_id,
            code="DATA_LOSS",
            reason="RESULT_LOST",
            definite=True,
            client="audit",
        )
    losses = [each.loss for each in story.figures().faults]
    assert [(each.jobs, each.results) for each in losses if each] == [(0, 1), (0, 1)]


def test_counts_of_the_checker_are_taken_over_and_others_are_unknown(story: Story) -> None:
    story.counts = {"accepted": 7, "lost": 0, "duplicated": 2}
    jobs = story.figures().jobs
    assert (jobs.accepted, jobs.lost, jobs.duplicated, jobs.recovered) == (7, 0, 2, None)


def test_groups_add_up_and_give_the_spread(story: Story) -> None:
    story.failed(every(0.1, 10, 12))
    story.failed(every(0.1, 20, 24))
    story.answered([9.9, 12, 19.9, 24])
    story.fault(10, 15, "kill", ["gateway"])
    story.fault(20, 25, "kill", ["gateway"])
    story.fault(30, 35, "cut", ["gateway>job"])
    groups = {group.name: group for group in by_kind(story.figures().faults)}
    assert set(groups) == {"kill gateway", "cut gateway>job"}
    kills = groups["kill gateway"]
    assert kills.downtime("GetJobStatus").total_s == pytest.approx(1.9 + 3.9, abs=4e-3)
    assert kills.downtime("GetJobStatus").longest_s == pytest.approx(3.9, abs=2e-3)
    assert kills.downtimes("GetJobStatus") == Spread(2, *times(2.9, 1.9, 3.9))  # type: ignore[arg-type]
    assert kills.availability("GetJobStatus").calls == 60 + 1 + 1
    assert kills.rerun() is None
    assert kills.held() is None


def test_numbered_targets_share_a_role(story: Story) -> None:
    story.fault(10, 15, "cut", ["node-1>node-4"])
    story.fault(20, 25, "cut", ["node-2>node-3"])
    assert [group.name for group in by_kind(story.figures().faults)] == ["cut node>node"]


def test_empty_group_has_nothing_to_say() -> None:
    group = Group("none", ())
    assert group.downtimes("GetJobStatus") is None
    assert group.availability("GetJobStatus").share is None
    assert (group.at_end(), group.drained(), group.undrained()) == (None, None, 0)

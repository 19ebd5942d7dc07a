from __future__ import annotations

import pytest

from testbed.runs.faults.figures.model import ALL, Availability, Downtime
from tests.unit.runs.faults.histories import Story, every


def near(total: float, longest: float | None = None, unsure: float = 0.0) -> Downtime:
    return Downtime(
        pytest.approx(total, abs=2e-3),
        pytest.approx(total if longest is None else longest, abs=2e-3),
        pytest.approx(unsure, abs=2e-3),
    )


def test_outage_lasts_from_the_first_failed_call_to_the_last() -> None:
    story = Story()
    story.answered(every(0.1, 0, 10))
    story.failed(every(0.1, 10, 13))
    story.answered(every(0.1, 13, 20))
    story.fault(10, 15)
    figures = story.figures()
    assert figures.faults[0].downtime["GetJobStatus"] == near(2.9)
    assert figures.service[ALL].downtime == near(2.9)
    assert figures.service[ALL].before == near(0)


def test_quiet_client_is_no_outage() -> None:
    story = Story()
    story.answered([0, 9.9])
    story.fault(10, 15)
    story.answered([19, 20])
    assert story.figures().faults[0].downtime["GetJobStatus"] == near(0)


def test_quiet_between_two_failed_calls_does_not_count() -> None:
    story = Story()
    story.answered([0, 9.9])
    story.fault(10, 15)
    story.failed([10, 10.5, 11, 17, 17.5, 18])
    story.answered([20])
    assert story.figures().faults[0].downtime["GetJobStatus"] == near(2.0, longest=1.0)


def test_calls_that_hang_until_a_stopped_process_goes_on_are_an_outage_although_answered() -> None:
    story = Story()
    story.answered(every(0.1, 0, 10))
    story.fault(10, 15, "pause", ["gateway"])
    for at in every(0.5, 10, 15):
        story.call(at, 15 - at)
    story.answered(every(0.1, 15.1, 20))
    figures = story.figures()
    assert figures.faults[0].downtime["GetJobStatus"] == near(5.0)
    assert figures.faults[0].availability["GetJobStatus"] == Availability(10, 10)


def test_one_of_several_nodes_that_fails_is_no_outage_of_the_method() -> None:
    story = Story()
    story.answered(every(0.1, 0, 20))
    story.failed(every(0.05, 10, 15))
    story.fault(10, 15)
    figures = story.figures()
    assert figures.faults[0].downtime["GetJobStatus"] == near(0)
    share = figures.faults[0].availability["GetJobStatus"].share
    assert share is not None
    assert 0.3 < share < 0.4


def test_one_call_that_hangs_while_others_are_rare_makes_no_sure_outage() -> None:
    story = Story()
    story.answered([0, 9.5, 10.5, 11.7, 13, 14.2, 15.5])
    story.call(10, 5, code="DEADLINE_EXCEEDED")
    story.fault(10, 15)
    found = story.figures().faults[0].downtime["GetJobStatus"]
    assert (found.total_s, found.longest_s) == (0, 0)
    assert found.unsure_s == pytest.approx(0.5, abs=2e-3)


def test_several_calls_that_hang_on_one_node_make_no_outage_of_a_rare_method() -> None:
    story = Story()
    story.answered([0, 9.5, 10.5, 11.7, 13, 14.2, 15.5])
    for at in (10, 10.1, 10.2, 10.3):
        story.call(at, 5, code="DEADLINE_EXCEEDED")
    story.fault(10, 15)
    found = story.figures().faults[0].downtime["GetJobStatus"]
    assert found == near(0.5)


def test_methods_are_apart_and_any_method_needs_all_of_them_to_fail() -> None:
    story = Story()
    story.answered(every(0.1, 0, 20), "GetJobStatus")
    story.answered(every(0.1, 0, 10), "ListJobs")
    story.failed(every(0.1, 10, 14), "ListJobs")
    story.answered(every(0.1, 14, 20), "ListJobs")
    story.fault(10, 15)
    found = story.figures().faults[0].downtime
    assert found["ListJobs"] == near(3.9)
    assert found["GetJobStatus"] == near(0)
    assert found[ALL] == near(0)


def test_outage_is_shared_out_at_the_begin_of_the_next_fault() -> None:
    story = Story()
    story.answered(every(0.1, 0, 8))
    story.failed(every(0.1, 8, 22))
    story.answered(every(0.1, 22, 30))
    story.fault(10, 15)
    story.fault(20, 25)
    figures = story.figures()
    first, second = (fault.downtime["GetJobStatus"] for fault in figures.faults)
    assert first == near(10)
    assert second == near(1.9)
    assert figures.service["GetJobStatus"].before == near(2)
    assert figures.service["GetJobStatus"].downtime == near(11.9)


@pytest.mark.parametrize(
    ("code", "definite", "answered"),
    [
        ("FAILED_PRECONDITION", True, True),
        ("NOT_FOUND", True, True),
        ("DATA_LOSS", True, True),
        ("RESOURCE_EXHAUSTED", True, False),
        ("UNAVAILABLE", True, False),
        ("UNAVAILABLE", False, False),
        ("DEADLINE_EXCEEDED", False, False),
        ("NOT_FOUND", False, False),
    ],
)
def test_refusal_that_only_a_working_service_gives_is_an_answer(
    code: str, definite: bool, answered: bool
) -> None:
    story = Story()
    story.answered([0, 2])
    story.call(1, code=code, definite=definite)
    service = story.figures().service["GetJobStatus"]
    assert service.outside == Availability(3, 2 + answered)


def test_calls_count_as_during_if_they_meet_a_fault_and_as_outside_if_not() -> None:
    story = Story()
    story.answered([0, 9, 15.1, 20])
    story.call(9.9, 0.2)
    story.failed([12, 14.9])
    story.call(14.9, 3)
    story.fault(10, 15)
    service = story.figures().service["GetJobStatus"]
    assert service.during == Availability(4, 2)
    assert service.outside == Availability(4, 4)


def test_call_that_met_a_fault_goes_to_the_one_that_was_on() -> None:
    story = Story()
    story.answered([0, 12, 17, 26, 30])
    story.fault(10, 15)
    story.fault(20, 25)
    story.failed([13, 22, 23])
    figures = story.figures()
    assert [each.availability[ALL].calls for each in figures.faults] == [2, 2]
    assert [each.availability[ALL].answered for each in figures.faults] == [1, 0]


def test_audit_is_in_no_figure_of_service_and_ends_no_drive() -> None:
    story = Story()
    story.answered([0, 20])
    for at in every(0.1, 30, 40):
        story.call(at, client="audit")
    figures = story.figures()
    assert figures.service[ALL].outside == Availability(2, 2)
    assert figures.seconds == pytest.approx(20.001)


def test_call_without_an_end_is_kept_apart_and_in_no_share() -> None:
    story = Story()
    story.answered([0, 20])
    story.call(19, None)
    figures = story.figures()
    assert figures.unended == 1
    assert figures.service[ALL].outside == Availability(2, 2)
    assert figures.errors == ()


def test_fault_without_an_end_lasts_until_the_end_of_the_drive() -> None:
    story = Story()
    story.answered([0])
    story.fault(10, None)
    story.failed(every(0.5, 10, 20))
    figures = story.figures()
    assert figures.faults[0].seconds == pytest.approx(9.5, abs=2e-3)
    assert figures.faults[0].downtime[ALL] == near(9.5)


def test_error_kinds_are_counted_by_method_code_reason_and_outcome() -> None:
    story = Story()
    story.answered([0, 20])
    story.fault(10, 15)
    story.failed([11, 12, 16], reason="OWNER_UNREACHABLE")
    story.failed([13], reason="STOPPING", definite=True)
    story.failed([14], "SubmitJob", code="DEADLINE_EXCEEDED")
    story.call(14.5, code="NOT_FOUND", reason="JOB_NOT_FOUND", definite=True)
    found = [
        (each.method, each.code, each.reason, each.definite, each.during, each.outside)
        for each in story.figures().errors
    ]
    assert found == [
        ("GetJobStatus", "UNAVAILABLE", "OWNER_UNREACHABLE", False, 2, 1),
        ("GetJobStatus", "UNAVAILABLE", "STOPPING", True, 1, 0),
        ("SubmitJob", "DEADLINE_EXCEEDED", "", False, 1, 0),
        ("GetJobStatus", "NOT_FOUND", "JOB_NOT_FOUND", True, 1, 0),
    ]
    assert [each.is_answer for each in story.figures().errors] == [False, False, False, True]


def test_timeline_counts_calls_in_the_second_in_which_they_end() -> None:
    story = Story()
    story.answered([0, 0.2, 1.5, 4])
    story.call(1.9, 0.5)
    story.failed([2.1])
    story.job("j1", 0.1, 0.2, 2.5)
    story.job("j2", 1.5, 1.6, 1.7)
    line = story.figures().timeline
    assert line.answered == (2, 1, 1, 0)
    assert line.errors == (0, 0, 1, 0)
    assert line.backlog == (1, 2, 1, 0)


def test_trial_without_calls_has_faults_and_no_shares() -> None:
    story = Story()
    story.fault(10, 15)
    figures = story.figures()
    assert [each.seconds for each in figures.faults] == [5]
    assert figures.service[ALL].outside.share is None
    assert figures.timeline.backlog == ()

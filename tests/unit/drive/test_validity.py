from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from testbed.drive.figures.trial import analyse
from testbed.drive.figures.validity import Limits
from testbed.record.calls import DELAY, RESPONSE, SERVICE
from testbed.record.model import OPEN, Offered

CALLS = 100


def open_loop(
    make: Any, delay_us: int = 10, response_us: int = 1000, **changes: Any
) -> tuple[str, ...]:
    """The problems of a drive of 30 s at 100 calls per second."""
    times = {
        SERVICE: [response_us] * CALLS,
        DELAY: [delay_us] * CALLS,
        RESPONSE: [response_us] * CALLS,
    }
    values = {
        "seconds": 30,
        "loop": OPEN,
        "offered": Offered(100.0, "even", 1000),
        "calls": {"SubmitJob": times},
        **changes,
    }
    return analyse(make.trial(jobs=(), load=make.load(**values))).problems


def test_sound_open_loop_is_valid(make: Any) -> None:
    assert open_loop(make) == ()


def test_dropped_calls_count_as_missed(make: Any) -> None:
    (problem,) = open_loop(make, rows={"due": 100, "sent": 97, "dropped": 3})
    assert "missed by 3.0%" in problem
    assert "90 dropped" in problem


def test_miss_within_two_percent_is_allowed(make: Any) -> None:
    assert open_loop(make, rows={"due": 100, "sent": 98, "dropped": 2}) == ()


def test_schedule_that_falls_behind_the_rate_is_void(make: Any) -> None:
    (problem,) = open_loop(make, rows={"due": 90, "sent": 90})
    assert "2,700 calls due, 3,000 asked for" in problem


def late(make: Any, delay_us: list[int], response_us: list[int]) -> Any:
    """A drive of 30 s at 100 calls per second whose calls are sent late, as a trial."""
    times = {SERVICE: response_us, DELAY: delay_us, RESPONSE: response_us}
    load = make.load(
        seconds=30, loop=OPEN, offered=Offered(100.0, "even", 9), calls={"SubmitJob": times}
    )
    return make.trial(jobs=(), load=load)


def test_late_sends_void_a_trial(make: Any) -> None:
    (problem,) = open_loop(make, delay_us=4000, response_us=10_000)
    assert "sent late" in problem
    assert "40% of the response time" in problem


def test_late_sends_within_the_share_of_the_plan_are_allowed(make: Any) -> None:
    trial = late(make, [4000] * CALLS, [10_000] * CALLS)
    assert analyse(trial, Limits(send_delay_share=0.5)).valid
    assert not analyse(trial).valid


def test_a_generator_that_is_as_late_as_when_idle_voids_no_trial_of_a_fast_side(make: Any) -> None:
    assert open_loop(make, delay_us=900, response_us=3000) == ()


def test_a_fast_side_whose_calls_are_sent_later_than_by_an_idle_generator_is_void(
    make: Any,
) -> None:
    (problem,) = open_loop(make, delay_us=1100, response_us=3000)
    assert "the send delay's p50 is 1.10 ms, 37% of the response time's" in problem


@pytest.mark.parametrize(("delay_us", "is_valid"), [(1900, True), (2100, False)])
def test_the_slowest_calls_of_an_idle_generator_may_be_twice_as_late(
    make: Any, delay_us: int, is_valid: bool
) -> None:
    slow = CALLS // 20
    delays = [100] * (CALLS - slow) + [delay_us] * slow
    trial = late(make, delays, [3000] * (CALLS - slow) + [4000] * slow)
    assert analyse(trial).valid is is_valid


def test_how_late_an_idle_generator_sends_is_said_by_the_plan(make: Any) -> None:
    trial = late(make, [900] * CALLS, [3000] * CALLS)
    assert analyse(trial, Limits(send_delay_floor_ms=0.9)).valid
    assert not analyse(trial, Limits(send_delay_floor_ms=0)).valid


def test_a_share_that_is_let_pass_for_its_smallness_is_said_of_the_trial(make: Any) -> None:
    late_sends = analyse(late(make, [900] * CALLS, [3000] * CALLS)).warnings
    (median,) = (each for each in late_sends if each.startswith("p50"))
    assert "includes 0.90 ms by which the load generator sent late" in median
    punctual = analyse(late(make, [100] * CALLS, [3000] * CALLS))
    assert not any("sent late" in each for each in punctual.warnings)


def test_generator_out_of_cpu_voids_a_trial(make: Any) -> None:
    hot = [1.0] * 5 + [0.3] * 25
    (problem,) = open_loop(make, rows={"generator_cpu": hot})
    assert "ran out of CPU" in problem
    assert "5 of 30 seconds" in problem


def test_few_busy_seconds_of_the_generator_are_allowed(make: Any) -> None:
    assert open_loop(make, rows={"generator_cpu": [1.0] * 3 + [0.3] * 27}) == ()


def test_throughput_that_never_settles_voids_a_trial(make: Any) -> None:
    growing = {
        second: {"SubmitJob": {SERVICE: [1000] * (20 + 10 * second)}} for second in range(60)
    }
    load = make.load(seconds=60, per_second=growing)
    (problem,) = analyse(make.trial(jobs=(), load=load)).problems
    assert "no steady state" in problem


def test_closed_loop_has_no_rate_to_miss(make: Any) -> None:
    load = make.load(seconds=30, rows={"due": 100, "sent": 50})
    assert analyse(make.trial(jobs=(), load=load)).valid


@pytest.mark.parametrize(("asked", "is_valid"), [(10.0, True), (10.2, True), (10.3, False)])
def test_drive_shorter_than_asked_voids_a_trial_whatever_the_cause(
    make: Any, asked: float, is_valid: bool
) -> None:
    load = replace(make.load(), asked_seconds=asked)
    problems = analyse(make.trial(jobs=(), load=load)).problems
    assert problems == (
        () if is_valid else ("the drive lasted 10.00 s of the 10.3 s asked for; 98% is needed",)
    )


def test_nothing_answered_voids_a_trial(make: Any) -> None:
    load = make.load(calls={"SubmitJob": {SERVICE: []}}, rows={"indefinite": 3})
    assert analyse(make.trial(jobs=(), load=load)).problems == (
        "no call was answered in the measured window",
    )


def test_a_job_that_never_ends_voids_a_trial_though_nobody_was_promised_it(make: Any) -> None:
    left = make.job(7, 1, 0, 0.1, accepted=False, state="QUEUED")
    problems = analyse(make.trial(jobs=[left])).problems
    assert f"jobs that nobody was promised and did not end: 1, such as {left.job_id}" in problems


@pytest.mark.parametrize("lost", [1, 3])
def test_lost_jobs_void_a_trial_in_either_loop(make: Any, lost: int) -> None:
    jobs = [make.job(number, 1, 0, 0.1, problem="lost") for number in range(lost)]
    assert f"{lost} of {lost} accepted jobs lost" in analyse(make.trial(jobs=jobs)).problems

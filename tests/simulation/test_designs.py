"""The designs as they ship, over many seeds: they are never accused, and they always drain.

``SIMULATIONS=2000 pytest tests/simulation/test_designs.py`` runs more of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import pytest

from testbed.record.history import lines
from testbed.record.history.model import Seen
from tests.simulation.judged import judge_unmutated, unmutated
from tests.simulation.run import Simulated, simulate
from tests.simulation.scenarios import (
    CACHE,
    CALM,
    CROWDS,
    FAULTS,
    GROWTH,
    GROWTH_UNDER_FAULTS,
    HORIZON,
    IMPATIENT,
    LATE,
    RETENTION,
    Scenario,
)

SIMULATIONS = int(os.environ.get("SIMULATIONS", "40"))
FEW = 4
# Of the others fewer: they are longer, and there is less that can be otherwise in them.
TENTH = SIMULATIONS // 10
NUMBERS = {
    FAULTS: SIMULATIONS,
    LATE: TENTH,
    CALM: TENTH,
    HORIZON: 1,
    CROWDS: TENTH,
    IMPATIENT: TENTH,
    RETENTION: TENTH,
    CACHE: TENTH,
}


@pytest.mark.parametrize("design", ["a", "b"])
def test_design_is_not_accused_and_drains(design: str) -> None:
    assert _accusations(design, FAULTS, range(FEW)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("scenario", NUMBERS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("design", ["a", "b"])
def test_design_is_never_accused_and_always_drains(design: str, scenario: Scenario) -> None:
    begin = FEW if scenario is FAULTS else 0
    assert _accusations(design, scenario, range(begin, NUMBERS[scenario])) == {}


@pytest.mark.parametrize("scenario", [GROWTH, GROWTH_UNDER_FAULTS], ids=lambda each: each.name)
def test_no_request_id_makes_two_jobs_while_a_node_joins_and_one_leaves(scenario: Scenario) -> None:
    assert _accusations("b", scenario, range(FEW)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [GROWTH, GROWTH_UNDER_FAULTS], ids=lambda each: each.name)
def test_no_request_id_ever_makes_two_jobs_while_a_node_joins_and_one_leaves(
    scenario: Scenario,
) -> None:
    assert _accusations("b", scenario, range(FEW, SIMULATIONS)) == {}


def test_calls_that_meet_no_fault_are_all_answered_while_nodes_join_and_leave() -> None:
    simulated = [unmutated("b", seed, GROWTH) for seed in range(FEW)]
    failed = {
        (each.call, each.code, each.reason)
        for one in simulated
        for each in one.history.operations
        if each.outcome.value != "ok"
    }
    # What they ask for is refused, as it is without any change.
    assert failed <= {
        ("GetJobResult", "FAILED_PRECONDITION", "JOB_NOT_FINISHED"),
        ("SubmitJob", "FAILED_PRECONDITION", "REQUEST_ID_REUSED"),
    }


def _accusations(
    design: str, scenario: Scenario, seeds: Iterable[int]
) -> dict[int, dict[str, str]]:
    """Return what each seed shows that must not be, by seed."""
    judged = {seed: judge_unmutated(design, seed, scenario) for seed in seeds}
    return {seed: what for seed, what in judged.items() if what}


@pytest.mark.parametrize("design", ["a", "b"])
def test_simulations_meet_what_they_are_to_prove(design: str) -> None:
    simulated = [unmutated(design, seed) for seed in range(5)]
    operations = [each for one in simulated for each in one.history.operations]
    faults = [each for one in simulated for each in one.history.faults]
    assert {"ok", "fail", "indefinite"} == {each.outcome.value for each in operations}
    assert {"pause", "cut", "isolate", "slow", "storm"} <= {fault.kind for fault in faults}
    assert any(fault.lost_state for fault in faults)
    again = [each for each in operations if getattr(each.answer, "attempt", 0) > 1]
    assert again or design == "b"


@pytest.mark.slow
@pytest.mark.parametrize("design", ["a", "b"])
def test_calm_simulations_cancel_what_runs_and_run_jobs_longer_than_leases(design: str) -> None:
    simulated = simulate(design, 1, CALM)
    assert not simulated.history.faults
    records = list(_records(simulated))
    assert [seen for call, seen in records if call == lines.CANCEL and seen.state == "RUNNING"]
    took = [
        seen.finish_us - seen.start_us for _, seen in records if seen.finish_us and seen.start_us
    ]
    assert max(took) > 12_000_000, "two leases"


@pytest.mark.parametrize("design", ["a", "b"])
def test_late_repeats_arrive_when_all_jobs_that_they_are_about_have_ended(design: str) -> None:
    simulated = simulate(design, 0, LATE)
    ended = {seen.job_id: at for at, seen in _ends(simulated)}
    assert simulated.repeated_late > 50
    assert simulated.last_repeat > sorted(ended.values())[len(ended) // 2] / 1e6


def _records(simulated: Simulated) -> Iterator[tuple[str, Seen]]:
    for each in simulated.history.operations:
        if isinstance(each.answer, Seen):
            yield each.call, each.answer


def _ends(simulated: Simulated) -> Iterator[tuple[int, Seen]]:
    for each in reversed(simulated.history.operations):
        if isinstance(each.answer, Seen) and each.answer.finish_us is not None:
            yield each.completed, each.answer


@pytest.mark.parametrize("design", ["a", "b"])
def test_equal_seeds_give_equal_histories(design: str) -> None:
    assert simulate(design, 1).history == unmutated(design, 1).history
    assert unmutated(design, 1).history != unmutated(design, 2).history

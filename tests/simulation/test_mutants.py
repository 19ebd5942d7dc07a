"""Every mutant is caught, by the rules that it names, where the design as it ships is clean."""

from __future__ import annotations

import logging

import pytest

from tests.mutants import load
from tests.simulation.judged import judge, judge_unmutated
from tests.simulation.scenarios import SCENARIOS

logger = logging.getLogger(__name__)

MUTANTS = load()
SEEDS = 60
"""In how many simulations a mutant has to be caught at the latest."""
FIRST = {
    ("acknowledged_before_enqueue", "a"): 2,
    ("acknowledged_before_enqueue", "b"): 3,
    ("attempt_reset", "a"): 1,
    ("cached_answer_outlives_job", "b"): 1,
    ("cancel_not_recorded", "b"): 3,
    ("canceled_job_starts", "b"): 3,
    ("dead_worker_never_expired", "a"): 3,
    ("earlier_home_goes_on", "b"): 7,
    ("ended_job_starts_again", "a"): 3,
    ("home_moves_when_absent", "b"): 2,
    ("lease_never_ends", "a"): 1,
    ("leftovers_never_found", "a"): 2,
    ("leftovers_not_asked_about", "a"): 3,
    ("list_silently_shorter", "b"): 4,
    ("losing_result_served", "a"): 2,
    ("lost_assignment_renewed", "a"): 7,
    ("not_found_for_unreachable", "b"): 1,
    ("request_id_for_any_job", "a"): 1,
    ("request_id_for_any_job", "b"): 1,
    ("request_id_outlives_job", "b"): 1,
    ("result_overwritten", "a"): 3,
    ("second_report_accepted", "a"): 3,
    ("start_time_overwritten", "a"): 1,
    ("unanswered_never_withdrawn", "a"): 2,
    ("unfinished_answer_cached", "b"): 3,
    ("withdrawn_though_relied_on", "a"): 8,
}
"""Simulations to begin with, because they catch a mutant that the earlier ones do not."""


def test_there_are_mutants_for_both_designs() -> None:
    assert len(MUTANTS) >= 20
    assert {design for mutant in MUTANTS.values() for design in mutant.designs} == {"a", "b"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "design"),
    [(name, design) for name, mutant in MUTANTS.items() for design in mutant.designs],
)
def test_mutant_is_caught(name: str, design: str) -> None:
    mutant = MUTANTS[name]
    scenario = SCENARIOS[mutant.scenario]
    first = FIRST.get((name, design), 0)
    for seed in sorted(range(SEEDS), key=lambda seed: (seed != first, seed)):
        caught = judge(design, seed, mutant, scenario).keys() & mutant.caught_by
        assert judge_unmutated(design, seed, scenario) == {}
        if caught:
            logger.info("%s in %s: by %s in simulation %d", name, design, sorted(caught), seed)
            return
    pytest.fail(f"{mutant.about}: not caught in {SEEDS} simulations of design {design}")

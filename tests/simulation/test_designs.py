"""The designs as they ship, over many seeds: they are never accused, and they always drain.

``SIMULATIONS=2000 pytest tests/simulation/test_designs.py`` looks at more of them.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.judged import judge_unmutated
from tests.simulation.run import simulate

SIMULATIONS = int(os.environ.get("SIMULATIONS", "100"))


@pytest.mark.parametrize("design", ["a", "b"])
def test_design_is_never_accused_and_always_drains(design: str) -> None:
    wrong = {seed: judge_unmutated(design, seed) for seed in range(SIMULATIONS)}
    assert {seed: what for seed, what in wrong.items() if what} == {}


@pytest.mark.parametrize("design", ["a", "b"])
def test_simulations_meet_what_they_are_to_prove(design: str) -> None:
    simulated = [simulate(design, seed) for seed in range(10)]
    operations = [each for one in simulated for each in one.history.operations]
    faults = [each for one in simulated for each in one.history.faults]
    assert {"ok", "fail", "indefinite"} == {each.outcome.value for each in operations}
    assert {"pause", "cut", "isolate", "slow", "storm"} <= {fault.kind for fault in faults}
    assert any(fault.lost_state for fault in faults)
    again = [each for each in operations if getattr(each.answer, "attempt", 0) > 1]
    assert again or design == "b"


@pytest.mark.parametrize("design", ["a", "b"])
def test_equal_seeds_give_equal_histories(design: str) -> None:
    assert simulate(design, 3).history == simulate(design, 3).history
    assert simulate(design, 3).history != simulate(design, 5).history

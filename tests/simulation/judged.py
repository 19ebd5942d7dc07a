"""Simulations with a verdict on each."""

from __future__ import annotations

from functools import cache

from testbed.checker import check
from tests.mutants import Mutant, switched_on
from tests.simulation.run import simulate


def judge(design: str, seed: int, mutant: Mutant | None = None) -> dict[str, str]:
    """Simulate, and return what is wrong with it, by rule; each with one violation in words."""
    with switched_on(mutant):
        simulated = simulate(design, seed)
    wrong = dict.fromkeys(simulated.defects, "a defect, see the simulation")
    if simulated.not_drained:
        wrong["not drained"] = simulated.not_drained
    verdict = check(simulated.history)
    texts = {violation.rule: violation.text for violation in verdict.violations}
    return wrong | {rule: texts.get(rule, "") for rule, found in verdict.found.items() if found}


@cache
def judge_unmutated(design: str, seed: int) -> dict[str, str]:
    """Judge a simulation of the design as it ships."""
    return judge(design, seed)

"""Simulations with a verdict on each."""

from __future__ import annotations

from functools import cache, lru_cache

from testbed.check import check
from testbed.record.history.model import CallOutcome, History
from tests.mutants import Mutant, switched_on
from tests.simulation.run import Simulated, simulate
from tests.simulation.scenarios import FAULTS, Scenario


def judge(
    design: str, seed: int, mutant: Mutant | None = None, scenario: Scenario = FAULTS
) -> dict[str, str]:
    """Simulate, and return what is wrong with it, by rule; each with one violation in words.

    Beside the rules of the checker these are *not drained*, *not at rest*, *runs* (what clients
    were shown is not what the workers ran), *runs again* and *fails* (a job was begun twice, or a
    call was not answered, though nothing was disturbed) and *defect*.
    """
    if mutant is None:
        simulated = unmutated(design, seed, scenario)
    else:
        with switched_on(mutant):
            simulated = simulate(design, seed, scenario)
    executions = simulated.executions
    again = [job_id for job_id, runs in executions.runs.items() if scenario.calm and runs > 1]
    beside = {
        "defect": "; ".join(simulated.defects[:3]),
        "not drained": simulated.not_drained,
        "not at rest": simulated.not_at_rest,
        "runs": next(executions.contradictions(simulated.history), ""),
        "runs again": ", ".join(again[:3]),
        "fails": ", ".join(_unanswered(simulated.history)[:3]) if scenario.calm else "",
    }
    verdict = check(simulated.history, calm=scenario.calm)
    texts = {violation.rule: violation.text for violation in verdict.violations}
    wrong = {rule: texts.get(rule, "") for rule, found in verdict.found.items() if found}
    return {name: text for name, text in beside.items() if text} | wrong


def _unanswered(history: History) -> list[str]:
    """Return the calls of which nobody knows what came of them and whose clients had not left."""
    calls = [each for each in history.operations if each.outcome is CallOutcome.INDEFINITE]
    return [f"{each.call} {each.code}" for each in calls if each.code]


@lru_cache(maxsize=32)
def unmutated(design: str, seed: int, scenario: Scenario = FAULTS) -> Simulated:
    """Simulate the design as it ships; tests that look at the same one share it."""
    return simulate(design, seed, scenario)


@cache
def judge_unmutated(design: str, seed: int, scenario: Scenario = FAULTS) -> dict[str, str]:
    """Judge a simulation of the design as it ships."""
    return judge(design, seed, scenario=scenario)

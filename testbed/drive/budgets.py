"""Holds the budgets of the processes of a side against each other, and adds them up.

The kernel rounds a limit on CPU to whole microseconds of a period and one on memory to whole pages,
so a total that was shared out comes back a little smaller. What differs by less than a thousandth
is taken for equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict

from testbed.drive import facts
from testbed.stack.records import ProcessBudget

MIB = 1 << 20
NO_LIMIT = "no limit"

Budgets = Mapping[str, ProcessBudget]


def as_data(budgets: Budgets) -> dict[str, dict[str, float | None]]:
    """Return the budgets as plain data, without processes that have none."""
    return {process: asdict(budget) for process, budget in budgets.items() if budget}


def same(first: float | None, second: float | None) -> bool:
    """Say whether two limits are equal but for rounding; none equals none alone."""
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=facts.ROUNDING)


def not_as_given(budgets: Budgets, given: ProcessBudget) -> Iterator[str]:
    """Name the processes that do not run with what they were given."""
    for process, budget in budgets.items():
        for what, of, write in _LIMITS:
            if not same(of(budget), of(given)):
                yield f"{process} has {write(of(budget))} {what}, and was given {write(of(given))}"


def uneven(budgets: Budgets) -> Iterator[str]:
    """Name the limits that are not the same for all processes of a side."""
    for what, of, write in _LIMITS:
        by_process = {process: of(budget) for process, budget in budgets.items()}
        first = next(iter(by_process.values()), None)
        if not all(same(first, each) for each in by_process.values()):
            values = ", ".join(f"{write(each)} in {name}" for name, each in by_process.items())
            yield f"{what} of a process: {values}"


def totals(budgets: Budgets) -> dict[str, str]:
    """Return what all processes may use together, as facts: cores, and MiB of memory."""
    cpus, memory = (_total(of, budgets) for _, of, _ in _LIMITS)
    return {
        facts.CPUS: _limit(cpus),
        facts.MEMORY: _limit(None if memory is None else memory / MIB),
    }


def _limit(value: float | None) -> str:
    return NO_LIMIT if value is None else f"{value:.6g}"


def _total(of: Callable[[ProcessBudget], float | None], budgets: Budgets) -> float | None:
    """Add a limit up; where a process has none, neither has the whole."""
    found = [of(budget) for budget in budgets.values()]
    known = [each for each in found if each is not None]
    return sum(known) if known and len(known) == len(found) else None


def _written_cpus(value: float | None) -> str:
    return NO_LIMIT if value is None else f"{value:.4g} cores"


def _written_memory(value: float | None) -> str:
    return NO_LIMIT if value is None else f"{value / MIB:,.1f} MiB"


def _cpus(budget: ProcessBudget) -> float | None:
    return budget.cpus


def _memory(budget: ProcessBudget) -> float | None:
    return budget.memory_bytes


_Limit = tuple[str, Callable[[ProcessBudget], float | None], Callable[[float | None], str]]
_LIMITS: tuple[_Limit, ...] = (
    ("CPU", _cpus, _written_cpus),
    ("memory", _memory, _written_memory),
)

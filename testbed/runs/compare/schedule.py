"""The order of an experiment's trials: random, so that no drift of the machine favours a side.

Within a block the cells come in random order, and the two sides of a cell right after one another,
in random order too. Of two consecutive blocks the second turns the sides of each cell round, so
that over the blocks both sides come first equally often. All of it follows from the plan's seed:
the same plan has the same schedule, and more blocks leave those before as they were.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from testbed.drive.traffic import Traffic
from testbed.drive.trial import TrialSpec
from testbed.runs.compare.plan import Cell, Plan
from testbed.stack.sides.resolve import Deployment, resolve

SEEDS = 2**63


@dataclass(frozen=True)
class TrialPlan:
    """One trial: ``number``, ``block`` and ``position`` count from 1, ``side`` is 0 or 1."""

    number: int
    block: int
    position: int
    side: int
    cell: Cell
    traffic: Traffic

    @property
    def design(self) -> str:
        """The design that is driven."""
        return self.cell.designs[self.side]

    @property
    def key(self) -> tuple[int, int, str]:
        """What the trial is a measurement of: block, side, and the levels of its cell."""
        return self.block, self.side, repr(sorted(self.cell.factors.items()))

    @property
    def deployment(self) -> Deployment:
        """What is started for it."""
        return resolve(self.design, self.cell.spec)

    def spec(self, attempt: int) -> TrialSpec:
        """Return it as the engine of trials takes it."""
        return TrialSpec(
            self.number,
            self.deployment,
            self.block,
            self.position,
            self.side,
            self.cell.factors,
            attempt,
        )

    def folder(self, width: int, attempt: int) -> str:
        """Name the trial's folder; the names sort in the order of the trials and attempts."""
        again = f"-{attempt}" if attempt > 1 else ""
        return f"{self.number:0{width}d}-{self.design}{again}"

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "number": self.number,
            "block": self.block,
            "position": self.position,
            "side": self.side,
            "design": self.design,
            "cell": dict(self.cell.factors),
            "seed": self.traffic.seed,
        }


def make(plan: Plan) -> tuple[TrialPlan, ...]:
    """Return all trials in their order.

    Both sides of a block get traffic of the same seed, and each block of another: what the draw of
    the traffic does to a figure is then part of the spread between blocks.
    """
    cells = plan.cells()
    trials: list[TrialPlan] = []
    for block in range(1, plan.blocks + 1):
        for cell in _shuffled(plan, cells, block):
            seed = (plan.traffic.seed + block - 1) % SEEDS
            for position, side in enumerate(_sides(plan, cell, block), start=1):
                traffic = replace(cell.traffic, seed=seed)
                trials.append(TrialPlan(len(trials) + 1, block, position, side, cell, traffic))
    return tuple(trials)


def _shuffled(plan: Plan, cells: tuple[Cell, ...], block: int) -> list[Cell]:
    order = list(cells)
    random.Random(f"{plan.traffic.seed} cells {block}").shuffle(order)
    return order


def _sides(plan: Plan, cell: Cell, block: int) -> tuple[int, int]:
    couple, second = divmod(block - 1, 2)
    first = random.Random(f"{plan.traffic.seed} sides {cell.index} {couple}").randrange(2)
    return (first, 1 - first) if not second else (1 - first, first)

"""The order of an experiment's trials: random, so that no drift of the machine favours a side.

Within a block the cells come in random order. A cell runs its sides in random order right after one
another, and then once more in the mirror of that order: A B B A. A steady drift is then the same
for all of them, and what the two trials of a side differ by is the noise of this block. All of it
follows from the plan's seed: the same plan has the same schedule, and more blocks leave those
before as they were.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from testbed.drive.traffic import Traffic
from testbed.drive.trial import TrialSpec
from testbed.runs.compare.plan import Cell, Plan
from testbed.stack.sides.resolve import Deployment
from testbed.stack.sides.side import Side, folder_name

SEEDS = 2**63


@dataclass(frozen=True)
class TrialPlan:
    """One trial: ``number``, ``block`` and ``position`` count from 1.

    ``side`` is its place among those of the plan, from 0.
    """

    number: int
    block: int
    position: int
    side: int
    cell: Cell
    traffic: Traffic

    @property
    def text(self) -> str:
        """The side that is driven, as it is written."""
        return self.cell.sides[self.side]

    @property
    def key(self) -> tuple[int, int, int, str]:
        """Which measurement it is: block, place in it, side, and the levels of its cell."""
        return self.block, self.position, self.side, repr(sorted(self.cell.factors.items()))

    @property
    def deployment(self) -> Deployment:
        """What is started for it."""
        return self.cell.deployment(self.side)

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
        return f"{self.number:0{width}d}-{folder_name(Side.parse(self.text))}{again}"

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "number": self.number,
            "block": self.block,
            "position": self.position,
            "side": self.side,
            "text": self.text,
            "cell": dict(self.cell.factors),
            "seed": self.traffic.seed,
        }


def make(plan: Plan) -> tuple[TrialPlan, ...]:
    """Return all trials in their order.

    All trials of a block get traffic of the same seed, and each block of another: what the draw of
    the traffic does to a figure is then part of the spread between blocks.
    """
    cells = plan.cells()
    trials: list[TrialPlan] = []
    for block in range(1, plan.blocks + 1):
        for cell in _shuffled(plan, cells, block):
            seed = (plan.traffic.seed + block - 1) % SEEDS
            traffic = replace(cell.traffic, seed=seed)
            for position, side in enumerate(_mirrored(plan, cell, block), start=1):
                trials.append(TrialPlan(len(trials) + 1, block, position, side, cell, traffic))
    return tuple(trials)


def _shuffled(plan: Plan, cells: tuple[Cell, ...], block: int) -> list[Cell]:
    order = list(cells)
    random.Random(f"{plan.traffic.seed} cells {block}").shuffle(order)
    return order


def _mirrored(plan: Plan, cell: Cell, block: int) -> list[int]:
    order = list(range(len(cell.sides)))
    random.Random(f"{plan.traffic.seed} sides {cell.index} {block}").shuffle(order)
    return order + order[::-1]

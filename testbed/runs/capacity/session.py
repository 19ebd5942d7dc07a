"""The searches and the sweep of all designs, interleaved. Knows nothing of stacks and processes.

The designs take turns drive by drive, and every other round the other way round, so that a machine
that grows slower meets all alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from testbed.runs.capacity.judge import Judgement
from testbed.runs.capacity.search import DriveVerdict, Search, SearchPlan, Stage
from testbed.stats import UslFit, fit_usl


class Driver(Protocol):
    """Drives a fresh stack once and judges it."""

    def open_loop(self, design: str, rate: float, confirm: bool) -> Judgement:
        """Drive at a rate, for longer to ``confirm``, and hold it against the objective."""

    def closed_loop(self, design: str, users: int) -> Judgement:
        """Drive with so many users that never think; the figure is ``calls_per_second``."""


@dataclass(frozen=True)
class SearchStep:
    """One drive of a search: what it was for, and what came of it."""

    design: str
    stage: Stage
    rate: float
    judgement: Judgement


@dataclass(frozen=True)
class Point:
    """One drive of a sweep."""

    design: str
    users: int
    judgement: Judgement

    @property
    def calls_per_second(self) -> float | None:
        """The throughput, ``None`` if the drive does not count."""
        if self.judgement.verdict is not DriveVerdict.HELD:
            return None
        return self.judgement.figures["calls_per_second"]


@dataclass
class CapacityResult:
    """All that was found; grows drive by drive, so that an interrupted run keeps what it has."""

    searches: dict[str, Search] = field(default_factory=dict)
    steps: list[SearchStep] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    def fit(self, design: str) -> UslFit | None:
        """Fit the scalability law to the points of a design; ``None`` if there are too few."""
        counted = [
            (float(point.users), rate)
            for point in self.points
            if point.design == design and (rate := point.calls_per_second)
        ]
        return fit_usl([users for users, _ in counted], [rate for _, rate in counted])


def search_all(
    designs: Sequence[str], plan: SearchPlan, driver: Driver, result: CapacityResult
) -> None:
    """Search for the capacity of every design."""
    result.searches |= {design: Search(plan) for design in designs}
    turn = 0
    while open_ones := [d for d in designs if result.searches[d].next_rate() is not None]:
        turn += 1
        for design in _turned(open_ones, turn):
            search = result.searches[design]
            rate, stage = search.next_rate(), search.stage
            assert rate is not None
            judgement = driver.open_loop(design, rate, stage is Stage.CONFIRM)
            result.steps.append(SearchStep(design, stage, rate, judgement))
            search.record(rate, judgement.verdict)


def sweep_all(
    designs: Sequence[str],
    users: Sequence[int],
    repeats: int,
    seed: int,
    driver: Driver,
    result: CapacityResult,
) -> None:
    """Drive every design with every number of users; each repeat in a random order of its own."""
    for turn in range(1, repeats + 1):
        order = list(users)
        random.Random(f"{seed}/{turn}").shuffle(order)
        for number, each in enumerate(order):
            for design in _turned(list(designs), turn + number):
                judgement = driver.closed_loop(design, each)
                result.points.append(Point(design, each, judgement))


def _turned(designs: list[str], turn: int) -> Iterator[str]:
    return iter(designs if turn % 2 else reversed(designs))

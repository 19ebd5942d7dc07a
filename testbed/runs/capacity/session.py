"""The searches and the sweep of all sides, interleaved. Knows nothing of stacks and processes.

The sides take turns drive by drive, and every other round the other way round, so that a machine
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

    def open_loop(self, side: str, rate: float, confirm: bool) -> Judgement:
        """Drive at a rate, for longer to ``confirm``, and hold it against the objective."""

    def closed_loop(self, side: str, users: int) -> Judgement:
        """Drive with so many users that never think; the figure is ``calls_per_second``."""


@dataclass(frozen=True)
class SearchStep:
    """One drive of a search: what it was for, and what came of it."""

    side: str
    stage: Stage
    rate: float
    judgement: Judgement


@dataclass(frozen=True)
class Point:
    """One drive of a sweep."""

    side: str
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

    def fit(self, side: str) -> UslFit | None:
        """Fit the scalability law to the points of a side; ``None`` if there are too few."""
        counted = [
            (float(point.users), rate)
            for point in self.points
            if point.side == side and (rate := point.calls_per_second)
        ]
        return fit_usl([users for users, _ in counted], [rate for _, rate in counted])


def search_all(
    sides: Sequence[str], plan: SearchPlan, driver: Driver, result: CapacityResult
) -> None:
    """Search for the capacity of every side."""
    result.searches |= {side: Search(plan) for side in sides}
    turn = 0
    while open_ones := [each for each in sides if result.searches[each].next_rate() is not None]:
        turn += 1
        for side in _turned(open_ones, turn):
            search = result.searches[side]
            rate, stage = search.next_rate(), search.stage
            assert rate is not None
            judgement = driver.open_loop(side, rate, stage is Stage.CONFIRM)
            result.steps.append(SearchStep(side, stage, rate, judgement))
            search.record(rate, judgement.verdict)


def sweep_all(
    sides: Sequence[str],
    users: Sequence[int],
    repeats: int,
    seed: int,
    driver: Driver,
    result: CapacityResult,
) -> None:
    """Drive every side with every number of users; each repeat in a random order of its own."""
    for turn in range(1, repeats + 1):
        order = list(users)
        random.Random(f"{seed}/{turn}").shuffle(order)
        for number, each in enumerate(order):
            for side in _turned(list(sides), turn + number):
                judgement = driver.closed_loop(side, each)
                result.points.append(Point(side, each, judgement))


def _turned(sides: list[str], turn: int) -> Iterator[str]:
    return iter(sides if turn % 2 else reversed(sides))

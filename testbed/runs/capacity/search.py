"""The search for the highest rate that holds: pure, asked for a rate and given the verdict on it.

Three stages. *Climb*: from the first rate upwards by a factor until one fails, or downwards until
one holds. *Narrow*: bisection on a log scale until the two are as close as asked for. *Confirm*:
repeated longer drives at the rate that holds and at the one above it, in turn; the majority
decides, and a rate that is not confirmed moves the bracket by one step.

One bad drive proves little on a shared machine. So a failure counts once it has happened twice at
a rate; the confirmation is there for the opposite error, a rate that has held by luck.

A void drive says nothing of the design. Where no rate has held yet, a lower one is tried, for the
first may have been too much for the generator; but not for ever: three rates in a row at which
every drive was void end the search, for then the rate is not what is wrong.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

REPEATS_OF_FAILURE = 2
# Void rates in a row, on the way down, after which a lower one is not tried.
VOID_RATES = 3


class Stage(StrEnum):
    """What a drive is for."""

    CLIMB = "climb"
    NARROW = "narrow"
    CONFIRM = "confirm"
    DONE = "done"


class DriveVerdict(StrEnum):
    """What came of a drive. VOID says that the generator, not the design, decided its figures."""

    HELD = "held"
    FAILED = "failed"
    VOID = "void"


class SearchOutcome(StrEnum):
    """How a search ended."""

    FOUND = "found"
    UNCONFIRMED = "unconfirmed"
    AT_LEAST = "at least"
    NEVER = "never"
    GENERATOR = "generator is the limit"
    NOTHING = "every drive void"
    RUNNING = "running"


@dataclass(frozen=True)
class SearchPlan:
    """Where to search. ``precision`` is the ratio of the bracket's ends, less one.

    Raises ``ValueError`` if the values make no search.
    """

    first: float = 100.0
    least: float = 2.0
    most: float = 5000.0
    factor: float = 2.0
    precision: float = 0.1
    confirmations: int = 3
    steps: int = 40

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.first <= self.most:
            raise ValueError(
                f"the first rate {self.first:g} must lie between {self.least:g} and {self.most:g}"
            )
        if self.factor <= 1 or self.precision <= 0:
            raise ValueError("the factor must be above 1 and the precision above 0")
        if self.confirmations < 1 or self.steps < 1:
            raise ValueError("confirmations and steps must be at least 1")


class Search:
    """Asks for one rate after the other: :meth:`next_rate`, drive, :meth:`record`, and again."""

    def __init__(self, plan: SearchPlan) -> None:
        self._plan = plan
        self._held: float | None = None
        self._failed: float | None = None
        self._upper_void = False
        self._void_rates = 0
        self._stage = Stage.CLIMB
        self._rate: float | None = plan.first
        self._failures = 0
        self._voids = 0
        self._steps = 0
        self._outcome = SearchOutcome.RUNNING
        self._driven: set[float] = set()
        self._votes: dict[float, list[DriveVerdict]] = defaultdict(list)

    @property
    def stage(self) -> Stage:
        """What the next drive is for."""
        return self._stage

    @property
    def outcome(self) -> SearchOutcome:
        """How the search ended."""
        return self._outcome

    @property
    def held(self) -> float | None:
        """The highest rate known to hold."""
        return self._held

    @property
    def failed(self) -> float | None:
        """The lowest rate known not to hold, or not to be offered."""
        return self._failed

    def votes(self, rate: float) -> tuple[int, int]:
        """Return how many of the confirming drives at ``rate`` held, and how many there were."""
        votes = self._votes.get(rate, [])
        return votes.count(DriveVerdict.HELD), len(votes)

    def next_rate(self) -> float | None:
        """Return the rate to drive next, ``None`` once the search has ended."""
        return self._rate

    def record(self, rate: float, verdict: DriveVerdict) -> None:
        """Take in the verdict on a drive. Raises ``ValueError`` if ``rate`` was not asked for."""
        if self._rate is None or rate != self._rate:
            raise ValueError(f"rate {rate:g} was not asked for, {self._rate} was")
        self._steps += 1
        self._driven.add(rate)
        if self._stage is Stage.CONFIRM:
            self._votes[rate].append(verdict)
            self._confirm()
        elif verdict is DriveVerdict.HELD:
            self._settle(rate, None)
        else:
            self._failures += 1
            self._voids += verdict is DriveVerdict.VOID
            if self._failures >= REPEATS_OF_FAILURE:
                self._settle(rate, verdict)
        if self._steps >= self._plan.steps and self._stage is not Stage.DONE:
            self._give_up()

    def _settle(self, rate: float, failed: DriveVerdict | None) -> None:
        """Move the bracket: a rate has held, or has failed often enough."""
        if failed is None:
            self._held = rate
        else:
            # One of two void drives was a proper failure: then it is the design that fails.
            self._failed, self._upper_void = rate, self._voids == self._failures
            self._void_rates = self._void_rates + 1 if self._upper_void else 0
        self._failures = self._voids = 0
        self._move()

    def _move(self) -> None:
        plan = self._plan
        if self._failed is None:
            assert self._held is not None
            if self._held >= plan.most:
                self._end(SearchOutcome.AT_LEAST)
            else:
                self._rate = min(self._held * plan.factor, plan.most)
        elif self._held is None:
            if self._failed <= plan.least or self._void_rates >= VOID_RATES:
                self._end(SearchOutcome.NOTHING if self._upper_void else SearchOutcome.NEVER)
            else:
                self._rate = max(self._failed / plan.factor, plan.least)
        elif self._failed / self._held > (1 + plan.precision) * (1 + 1e-9):
            self._stage = Stage.NARROW
            self._rate = math.sqrt(self._held * self._failed)
        else:
            self._stage = Stage.CONFIRM
            self._confirm()

    def _confirm(self) -> None:
        """Decide by the votes so far, or ask for another drive at one end of the bracket."""
        assert self._held is not None
        assert self._failed is not None
        below = self._verdict(self._held)
        above = DriveVerdict.VOID if self._upper_void else self._verdict(self._failed)
        if below in {DriveVerdict.FAILED, DriveVerdict.VOID}:
            self._lower(below)
        elif above is DriveVerdict.HELD:
            self._raise()
        elif below is DriveVerdict.HELD and above is not None:
            self._end(
                SearchOutcome.GENERATOR if above is DriveVerdict.VOID else SearchOutcome.FOUND
            )
        else:
            first, second = self._held, self._failed
            turn = above is None and len(self._votes[second]) < len(self._votes[first])
            self._rate = second if turn or below is not None else first

    def _verdict(self, rate: float) -> DriveVerdict | None:
        """Return what the majority of the confirming drives says, once it cannot change."""
        votes, needed = self._votes[rate], self._plan.confirmations // 2 + 1
        if votes.count(DriveVerdict.HELD) >= needed:
            return DriveVerdict.HELD
        against = len(votes) - votes.count(DriveVerdict.HELD)
        if against < self._plan.confirmations - needed + 1:
            return None
        return (
            DriveVerdict.VOID if votes.count(DriveVerdict.VOID) == against else DriveVerdict.FAILED
        )

    def _lower(self, verdict: DriveVerdict) -> None:
        assert self._held is not None
        self._failed, self._upper_void = self._held, verdict is DriveVerdict.VOID
        lower = self._failed / (1 + self._plan.precision)
        if lower < self._plan.least:
            self._held = None
            self._end(SearchOutcome.NOTHING if self._upper_void else SearchOutcome.NEVER)
            return
        self._held = lower
        self._confirm()

    def _raise(self) -> None:
        assert self._failed is not None
        self._held = self._failed
        if self._held >= self._plan.most:
            self._end(SearchOutcome.AT_LEAST)
            return
        self._failed = min(self._held * (1 + self._plan.precision), self._plan.most)
        self._confirm()

    def _give_up(self) -> None:
        # The lower end may be a rate that has only been stepped down to, and not been driven.
        if self._held is not None and self._held not in self._driven:
            self._held = None
        self._end(SearchOutcome.UNCONFIRMED)

    def _end(self, outcome: SearchOutcome) -> None:
        self._stage, self._rate, self._outcome = Stage.DONE, None, outcome

"""What a bench does, and how long each part of it is expected to take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from common.stack_spec import StackSpec
from testbed.errors import TestbedError
from testbed.runs.bench.measure import ECHO
from testbed.stack.sides.resolve import Deployment, started
from testbed.stack.sides.side import labels

OWNER = "the job owner as jobs pile up"
MOST_CALLERS = 1000
# Those of the measurement of memory, and of what goes before all others.
WARM_CALLERS = 16


@dataclass(frozen=True)
class BenchPlan:
    """What the bench does. Times are in seconds; each of ``callers`` submit at the same time."""

    sides: tuple[str, ...] = ("a", "b")
    rounds: int = 3
    seconds: float = 2.5
    warmup: float = 0.5
    callers: tuple[int, ...] = (1, 16, 64)
    warm_jobs: int = 500
    idle_seconds: float = 10.0
    memory_jobs: int = 20_000
    slots: int = 12
    owner_jobs: tuple[int, ...] = (10_000, 100_000, 1_000_000)

    @property
    def labels(self) -> tuple[str, ...]:
        """A unique name for each side."""
        return labels(self.sides)

    def deployments(self) -> dict[str, Deployment]:
        """Return what is started for each side, by its label.

        Raises :class:`TestbedError` for a side that cannot be.
        """
        found = (started(each, StackSpec(self.slots), "a bench") for each in self.sides)
        return dict(zip(self.labels, found, strict=True))

    def order(self, turn: int) -> list[str]:
        """Name the subjects in the order of a round, counted from 1; it is turned each time."""
        names = [ECHO, *self.labels]
        return names if turn % 2 else names[::-1]

    def levels(self, turn: int) -> list[int]:
        """Return the numbers of callers in the order of a round, turned each time likewise."""
        return sorted(self.callers, reverse=not turn % 2)

    def phases(self) -> dict[str, float]:
        """Return the phases in their order with the seconds expected of each."""
        return dict(self._phases()) | {OWNER: max(self.owner_jobs) * 25e-6 + 1}

    def _phases(self) -> Iterator[tuple[str, float]]:
        for turn in range(1, self.rounds + 1):
            for name in self.order(turn):
                if name != ECHO:
                    yield starting(turn, name), 3.0
                    if turn == 1:
                        yield idle(name), self.idle_seconds
                    yield warming(turn, name), self.warm_jobs / 400 + 2.0
                for callers in self.levels(turn):
                    run = self.warmup + self.seconds + (1.5 if name == ECHO else 2.5)
                    yield measuring(turn, name, callers), run
                if name != ECHO:
                    if turn == self.rounds and self.memory_jobs:
                        yield memory(name), self.memory_jobs / 900 + 3
                    yield stopping(turn, name), 1.0


def starting(turn: int, name: str) -> str:
    """Name the phase in which a side starts."""
    return f"round {turn}, starting {name}"


def warming(turn: int, name: str) -> str:
    """Name the phase in which a side does the first jobs, which nobody measures."""
    return f"round {turn}, warming up {name}"


def idle(name: str) -> str:
    """Name the phase in which a side is left alone."""
    return f"idle, {name}"


def measuring(turn: int, name: str, callers: int) -> str:
    """Name the phase of one measurement."""
    return f"round {turn}, {name} with {callers} in flight"


def memory(name: str) -> str:
    """Name the phase in which the memory of a side is measured."""
    return f"memory, {name}"


def stopping(turn: int, name: str) -> str:
    """Name the phase in which a side is stopped."""
    return f"round {turn}, stopping {name}"


def parse_callers(text: str) -> tuple[int, ...]:
    """Read numbers of callers with commas between. Raises :class:`TestbedError`."""
    try:
        callers = tuple(sorted({int(each) for each in text.split(",") if each.strip()}))
    except ValueError:
        raise TestbedError(f"--callers {text!r}: whole numbers with commas between") from None
    if not callers or callers[0] < 1 or callers[-1] > MOST_CALLERS:
        raise TestbedError(f"--callers {text!r}: each must be from 1 to {MOST_CALLERS}")
    return callers

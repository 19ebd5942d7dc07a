"""A whole bench: the sides in turn, each against the echo server in the same round.

One stack is up at a time, so that none uses what another is measured with, and so that sides of one
design, which have the same ports, can be in one bench. A fresh stack does some jobs that nobody
measures before those that are measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.drive.interrupts import Interrupts
from testbed.drive.ports import Progress, Stacks
from testbed.runs.bench import measure, plan, scaling
from testbed.runs.bench.client import Task
from testbed.runs.bench.load import Subject
from testbed.runs.bench.measure import ECHO, Measurement, Measurer
from testbed.runs.bench.plan import OWNER, WARM_CALLERS, BenchPlan
from testbed.runs.bench.scaling import OwnerCost
from testbed.runs.bench.summary import Measured
from testbed.stack.sides.resolve import Deployment


def run(
    plan: BenchPlan, folder: Path, stacks: Stacks, interrupts: Interrupts, progress: Progress
) -> tuple[Measured, list[OwnerCost]]:
    """Run it all, raw data into ``folder``; return what was measured and the owner's costs.

    Nothing is left running, whatever happens. Raises :class:`TestbedError`.
    """
    progress.trial(1, "bench")
    session = _Session(plan, folder, stacks, interrupts, progress)
    with measure.echo_server() as echo:
        for turn in range(1, plan.rounds + 1):
            session.round(turn, echo)
    progress.phase(OWNER)
    owner = scaling.costs(plan.owner_jobs)
    progress.trial_done("complete")
    return session.measured(), owner


class _Session:
    """The rounds of a bench, and what they have measured so far."""

    def __init__(
        self,
        plan: BenchPlan,
        folder: Path,
        stacks: Stacks,
        interrupts: Interrupts,
        progress: Progress,
    ) -> None:
        self._plan = plan
        self._stacks = stacks
        self._interrupts = interrupts
        self._progress = progress
        self._deployments = plan.deployments()
        self._measurer = Measurer(folder, interrupts, progress)
        self._rounds: list[Measurement] = []
        self._memory: dict[str, Measurement] = {}
        self._idle: dict[str, float] = {}

    def measured(self) -> Measured:
        """Return all that has been measured."""
        sides = dict(zip(self._plan.labels, self._plan.sides, strict=True))
        return Measured(sides, self._rounds, self._memory, self._idle)

    def round(self, turn: int, echo: Subject) -> None:
        """Measure the echo server and every side with each number of callers."""
        for name in self._plan.order(turn):
            if name == ECHO:
                self._measure(turn, echo)
                continue
            with self._up(turn, name) as subject:
                if turn == 1:
                    self._progress.phase(plan.idle(name))
                    self._idle[name] = self._measurer.idle(subject, self._plan.idle_seconds)
                self._warm(turn, subject)
                self._measure(turn, subject)
                if turn == self._plan.rounds and self._plan.memory_jobs:
                    self._measure_memory(subject)
                self._progress.phase(plan.stopping(turn, name))

    @contextmanager
    def _up(self, turn: int, name: str) -> Iterator[Subject]:
        """Bring a side up for the length of the block."""
        deployment: Deployment = self._deployments[name]
        self._progress.phase(plan.starting(turn, name))
        try:
            record = self._stacks.up(deployment)
            yield Subject(name, record, self._stacks.meter(record))
        finally:
            with self._interrupts.shield():
                self._stacks.down(deployment.design)

    def _warm(self, turn: int, subject: Subject) -> None:
        self._progress.phase(plan.warming(turn, subject.name))
        if self._plan.warm_jobs:
            task = Task(callers=WARM_CALLERS, jobs=self._plan.warm_jobs)
            self._measurer.measure("warm-up", 0, subject, task)

    def _measure(self, turn: int, subject: Subject) -> None:
        for callers in self._plan.levels(turn):
            self._progress.phase(plan.measuring(turn, subject.name, callers))
            task = Task(
                callers=callers,
                warmup=self._plan.warmup,
                seconds=self._plan.seconds,
                drain=subject.name != ECHO,
            )
            what = f"round-{turn}-callers-{callers}"
            self._rounds.append(self._measurer.measure(what, turn, subject, task))

    def _measure_memory(self, subject: Subject) -> None:
        """Measure memory last: by then allocators and caches have grown to their working size."""
        self._progress.phase(plan.memory(subject.name))
        task = Task(callers=WARM_CALLERS, jobs=self._plan.memory_jobs)
        self._memory[subject.name] = self._measurer.measure("memory", 0, subject, task)

"""A whole bench: echo server and stacks side by side, measured in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.drive.interrupts import Interrupts
from testbed.drive.ports import Progress, Stacks
from testbed.runs.bench import measure, scaling
from testbed.runs.bench.client import Task
from testbed.runs.bench.figures import SubjectFigures, summarize
from testbed.runs.bench.load import Subject
from testbed.runs.bench.measure import Measurement, Measurer
from testbed.runs.bench.scaling import OwnerCost
from testbed.stack.spec import StackSpec

UP, IDLE, MEMORY, DOWN = "starting the stacks", "idle", "memory", "stopping"
OWNER = "the job owner as jobs pile up"


@dataclass(frozen=True)
class BenchPlan:
    """What the bench does. Times are in seconds; ``callers`` submit at the same time."""

    designs: tuple[str, ...] = ("a", "b")
    rounds: int = 3
    seconds: float = 4.0
    warmup: float = 1.0
    callers: int = 16
    idle_seconds: float = 10.0
    memory_jobs: int = 20_000
    slots: int = 12
    owner_jobs: tuple[int, ...] = (10_000, 100_000, 1_000_000)

    def order(self, turn: int) -> list[str]:
        """Name the designs in the order of a round, counted from 1; it is turned round each time.

        The echo server comes first in each round.
        """
        return list(self.designs if turn % 2 else reversed(self.designs))

    def phases(self) -> dict[str, float]:
        """Return the phases with the seconds expected of each."""
        run = self.warmup + self.seconds + 3.0
        return {
            UP: 3.0 * len(self.designs),
            IDLE: self.idle_seconds,
            **{
                round_phase(turn, name): run
                for turn in range(1, self.rounds + 1)
                for name in (measure.ECHO, *self.order(turn))
            },
            **{f"{MEMORY}, {name.upper()}": self.memory_jobs / 900 + 2 for name in self.designs},
            DOWN: 3.0,
            OWNER: max(self.owner_jobs) * 25e-6 + 1,
        }


def round_phase(turn: int, name: str) -> str:
    """Name the phase of one measurement."""
    return f"round {turn}, {name if name == measure.ECHO else name.upper()}"


def run(
    plan: BenchPlan, folder: Path, stacks: Stacks, interrupts: Interrupts, progress: Progress
) -> tuple[list[SubjectFigures], list[OwnerCost]]:
    """Run it all, raw data into ``folder``; return how each subject stands and the owner's costs.

    Nothing is left running, whatever happens. Raises :class:`TestbedError`.
    """
    progress.trial(1, "bench")
    with ExitStack() as running:
        echo = running.enter_context(measure.echo_server())
        progress.phase(UP)
        running.enter_context(_stopped(plan, stacks, interrupts, progress))
        subjects = {name: _subject(stacks, name, plan.slots) for name in plan.designs}
        progress.phase(IDLE)
        idle = measure.idle(list(subjects.values()), plan.idle_seconds, folder / "idle")
        subjects[measure.ECHO] = echo
        measurer = Measurer(folder, interrupts, progress)
        rounds = list(_rounds(plan, subjects, measurer))
        memory = _memory(plan, subjects, measurer)
    progress.phase(OWNER)
    owner = scaling.costs(plan.owner_jobs)
    progress.trial_done("complete")
    return summarize(rounds, memory, idle), owner


@contextmanager
def _stopped(
    plan: BenchPlan, stacks: Stacks, interrupts: Interrupts, progress: Progress
) -> Iterator[None]:
    try:
        yield
    finally:
        with interrupts.shield():
            progress.phase(DOWN)
            for name in plan.designs:
                stacks.down(name)


def _subject(stacks: Stacks, name: str, slots: int) -> Subject:
    record = stacks.up(name, StackSpec(slots))
    return Subject(record, stacks.meter(record))


def _rounds(
    plan: BenchPlan, subjects: dict[str, Subject], measurer: Measurer
) -> Iterator[Measurement]:
    for turn in range(1, plan.rounds + 1):
        for name in (measure.ECHO, *plan.order(turn)):
            measurer.progress.phase(round_phase(turn, name))
            task = Task(
                callers=plan.callers,
                warmup=plan.warmup,
                seconds=plan.seconds,
                drain=name != measure.ECHO,
            )
            yield measurer.measure(f"round-{turn}-{name}", turn, subjects[name], task)


def _memory(
    plan: BenchPlan, subjects: dict[str, Subject], measurer: Measurer
) -> dict[str, Measurement]:
    """Measure memory last: by then allocators and caches have grown to their working size."""
    found = {}
    for name in plan.designs if plan.memory_jobs else ():
        measurer.progress.phase(f"{MEMORY}, {name.upper()}")
        task = Task(callers=plan.callers, jobs=plan.memory_jobs)
        found[name] = measurer.measure(f"memory-{name}", 0, subjects[name], task)
    return found

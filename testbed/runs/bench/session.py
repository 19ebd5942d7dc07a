"""A whole bench: echo server and stacks side by side, measured in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.stack_spec import StackSpec
from testbed.drive.interrupts import Interrupts
from testbed.drive.ports import Progress, Stacks
from testbed.errors import TestbedError
from testbed.runs.bench import measure, scaling
from testbed.runs.bench.client import Task
from testbed.runs.bench.figures import SubjectFigures, summarize
from testbed.runs.bench.load import Subject
from testbed.runs.bench.measure import Measurement, Measurer
from testbed.runs.bench.scaling import OwnerCost
from testbed.stack.sides.resolve import Deployment, started
from testbed.stack.sides.side import Side, folder_name, label

UP, IDLE, MEMORY, DOWN = "starting the stacks", "idle", "memory", "stopping"
OWNER = "the job owner as jobs pile up"


@dataclass(frozen=True)
class BenchPlan:
    """What the bench does. Times are in seconds; ``callers`` submit at the same time."""

    sides: tuple[str, ...] = ("a", "b")
    rounds: int = 3
    seconds: float = 4.0
    warmup: float = 1.0
    callers: int = 16
    idle_seconds: float = 10.0
    memory_jobs: int = 20_000
    slots: int = 12
    owner_jobs: tuple[int, ...] = (10_000, 100_000, 1_000_000)

    def deployments(self) -> tuple[Deployment, ...]:
        """Return what is started for each side.

        Raises :class:`TestbedError` for a side that cannot be, and for two of one design: all are
        up at the same time, and a design has its ports once.
        """
        found = [started(each, StackSpec(self.slots), "a bench") for each in self.sides]
        names = [each.design for each in found]
        for each in found:
            if names.count(each.design) > 1:
                raise TestbedError(
                    f"{' and '.join(self.sides)}: a bench has all sides up at the same time, and "
                    f"one stack of design {each.design} can be up",
                    "testbed compare runs them one after the other",
                )
        return tuple(found)

    def folder_name(self, name: str) -> str:
        """Return what names a side, or the echo server, in the name of a folder."""
        return folder_name(Side.parse(name))

    def order(self, turn: int) -> list[str]:
        """Name the sides in the order of a round, counted from 1; it is turned round each time.

        The echo server comes first in each round.
        """
        return list(self.sides if turn % 2 else reversed(self.sides))

    def phases(self) -> dict[str, float]:
        """Return the phases with the seconds expected of each."""
        run = self.warmup + self.seconds + 3.0
        return {
            UP: 3.0 * len(self.sides),
            IDLE: self.idle_seconds,
            **{
                round_phase(turn, name): run
                for turn in range(1, self.rounds + 1)
                for name in (measure.ECHO, *self.order(turn))
            },
            **{f"{MEMORY}, {label(name)}": self.memory_jobs / 900 + 2 for name in self.sides},
            DOWN: 3.0,
            OWNER: max(self.owner_jobs) * 25e-6 + 1,
        }


def round_phase(turn: int, name: str) -> str:
    """Name the phase of one measurement."""
    return f"round {turn}, {name if name == measure.ECHO else label(name)}"


def run(
    plan: BenchPlan, folder: Path, stacks: Stacks, interrupts: Interrupts, progress: Progress
) -> tuple[list[SubjectFigures], list[OwnerCost]]:
    """Run it all, raw data into ``folder``; return how each subject stands and the owner's costs.

    Nothing is left running, whatever happens. Raises :class:`TestbedError`.
    """
    progress.trial(1, "bench")
    deployments = plan.deployments()
    with ExitStack() as running:
        echo = running.enter_context(measure.echo_server())
        progress.phase(UP)
        running.enter_context(_stopped(deployments, stacks, interrupts, progress))
        subjects = {str(each): _subject(stacks, each) for each in deployments}
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
    deployments: Sequence[Deployment], stacks: Stacks, interrupts: Interrupts, progress: Progress
) -> Iterator[None]:
    try:
        yield
    finally:
        with interrupts.shield():
            progress.phase(DOWN)
            for each in deployments:
                stacks.down(each.design)


def _subject(stacks: Stacks, deployment: Deployment) -> Subject:
    record = stacks.up(deployment)
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
            yield measurer.measure(
                f"round-{turn}-{plan.folder_name(name)}", turn, subjects[name], task
            )


def _memory(
    plan: BenchPlan, subjects: dict[str, Subject], measurer: Measurer
) -> dict[str, Measurement]:
    """Measure memory last: by then allocators and caches have grown to their working size."""
    found = {}
    for name in plan.sides if plan.memory_jobs else ():
        measurer.progress.phase(f"{MEMORY}, {label(name)}")
        task = Task(callers=plan.callers, jobs=plan.memory_jobs)
        found[name] = measurer.measure(f"memory-{plan.folder_name(name)}", 0, subjects[name], task)
    return found

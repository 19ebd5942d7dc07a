"""Works out what a fault run says: checks its histories, writes its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed import check as checker
from testbed.check.verdict import Verdict
from testbed.record import files
from testbed.record.damage import naming
from testbed.record.model import COMPLETE, TrialHeader
from testbed.report.page import REPORT, save
from testbed.runs.faults import recorded
from testbed.runs.faults.figures import FaultFigures, FaultTrial, analyse
from testbed.runs.faults.figures.drift import Drift, drifts
from testbed.runs.faults.figures.model import parts_of
from testbed.runs.faults.report import FaultRun, drift, write_files
from testbed.runs.faults.report import page as faultpage
from testbed.runs.faults.session import EXPERIMENT
from testbed.stack import designs

OnProgress = Callable[[str], None]


@dataclass(frozen=True)
class SideOutcome:
    """One side: how it ended, what the checker says, and the figures, if it left a history."""

    header: TrialHeader
    verdict: Verdict | None
    figures: FaultFigures | None
    drifts: tuple[Drift, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether it ran to its end, every job was looked up and no promise was broken."""
        return (
            self.header.status == COMPLETE
            and self.verdict is not None
            and self.verdict.clean
            and not self.verdict.counts["not_looked_up"]
        )


@dataclass(frozen=True)
class FaultRunOutcome:
    """What a fault run says."""

    run: FaultRun
    sides: tuple[SideOutcome, ...]
    planned: int

    @property
    def figures(self) -> list[FaultFigures]:
        """The figures of the sides that have any."""
        return [side.figures for side in self.sides if side.figures is not None]

    @property
    def drifts(self) -> dict[str, tuple[Drift, ...]]:
        """What grew, by design."""
        return {side.header.design: side.drifts for side in self.sides if side.drifts}

    @property
    def kept(self) -> bool:
        """Whether every side that was planned kept all promises."""
        return len(self.sides) == self.planned and all(side.kept for side in self.sides)


def read(folder: Path, on_progress: OnProgress = lambda _text: None) -> FaultRunOutcome:
    """Check and analyse what a fault run left. Raises :class:`testbed.errors.TestbedError`."""
    record = recorded.read_head(folder / EXPERIMENT)
    plan, provenance = record["plan"], record["provenance"]
    paths = sorted((folder / files.TRIALS).glob("*-*"))
    sides = tuple(_side(path, record, on_progress) for path in paths)
    run = FaultRun(
        name=plan["name"],
        when=min((side.header.started for side in sides), default=""),
        seed=plan["seed"],
        what_ran=tuple(_what_ran(plan, sides)),
        command=str(provenance.get("command", "")),
        folder=f"{folder.parent.name}/{folder.name}",
        plan=plan,
        provenance=provenance,
    )
    return FaultRunOutcome(run, sides, len(plan["designs"]))


def write(folder: Path, on_progress: OnProgress = lambda _text: None) -> FaultRunOutcome:
    """Read a fault run and write its files; return what it says."""
    outcome = read(folder, on_progress)
    write_files(folder, outcome.figures, outcome.run)
    if outcome.figures:
        drift.write(folder, outcome.drifts)
        on_progress("drawing")
        save(folder / REPORT, faultpage.page(outcome.figures, outcome.run))
    return outcome


def _side(path: Path, record: recorded.RecordedFaultRun, on_progress: OnProgress) -> SideOutcome:
    header = files.read_header(path)
    plan, name = record["plan"], f"design {header.design.upper()}"
    with naming(path / files.TRIAL):
        if header.design not in plan["designs"]:
            raise ValueError(f"design is {header.design!r}, which is none of the run")
    if header.status != COMPLETE and not any(path.glob("history*.jsonl*")):
        return SideOutcome(header, None, None)
    on_progress(f"reading the history of {name}")
    left = recorded.read_side(path, header)
    on_progress(f"checking the history of {name}")
    verdict = checker.check(left.history)
    on_progress(f"working out the figures of {name}")
    with naming(path / files.TRIAL):
        topology = designs.load(header.design).scaled(plan.get("workers", 1))
        parts = parts_of(topology, header.endpoints)
    title = record["titles"].get(header.design, "")
    figures = analyse(
        FaultTrial(header.design, title, left.history, verdict, left.jobs, parts, left.metrics)
    )
    return SideOutcome(header, verdict, figures, drifts(left.metrics))


def _what_ran(plan: recorded.RecordedFaultPlan, sides: tuple[SideOutcome, ...]) -> Iterator[str]:
    """Say in a few sentences what was done."""
    traffic = plan["traffic"]
    load = (
        f"{traffic['rate']:g} calls/s in an open loop"
        if traffic.get("rate")
        else f"{traffic.get('users')} users in a closed loop"
    )
    yield (
        f"Every design on a fresh stack, as {plan['runtime']} processes, under {load}; each fault "
        f"lasts {plan['seconds']:g} s and is followed by {plan['health']:g} s of health."
    )
    for side in sides:
        name = f"Design {side.header.design.upper()}"
        if side.header.status != COMPLETE:
            yield f"{name} did not run to its end: {side.header.error}."
        elif side.figures is not None:
            yield f"{name}: {len(side.figures.faults)} faults in {side.figures.seconds:.0f} s."

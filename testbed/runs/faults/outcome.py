"""Works out what a fault run says: checks its histories, writes its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from testbed.stack.sides.side import Side, headline, title

OnProgress = Callable[[str], None]


@dataclass(frozen=True)
class SideOutcome:
    """One side: how it ended, what the checker says, and the figures, if it left a history."""

    side: str
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

    @property
    def unfinished(self) -> str:
        """Say why it did not run to its end, nothing if it did."""
        if self.header.status == COMPLETE:
            return ""
        return f"{headline(self.side)} did not run to its end: {self.header.error}."


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
    def unfinished(self) -> list[str]:
        """A sentence for each side that did not run to its end."""
        return [side.unfinished for side in self.sides if side.unfinished]

    @property
    def drifts(self) -> dict[str, tuple[Drift, ...]]:
        """What grew, by side."""
        return {each.side: each.drifts for each in self.sides if each.drifts}

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
    return FaultRunOutcome(run, sides, len(recorded.sides_of(plan)))


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
    plan = record["plan"]
    with naming(path / files.TRIAL):
        side = _side_of(header, recorded.sides_of(plan))
    name = title(side)
    if header.status != COMPLETE and not any(path.glob("history*.jsonl*")):
        return SideOutcome(side, header, None, None)
    on_progress(f"reading the history of {name}")
    left = recorded.read_side(path, header)
    on_progress(f"checking the history of {name}")
    verdict = checker.check(left.history)
    on_progress(f"working out the figures of {name}")
    with naming(path / files.TRIAL):
        workers = int(Side.parse(side).options.get("workers", plan.get("workers", 1)))
        topology = designs.load(header.design).scaled(workers)
        parts = parts_of(topology, header.endpoints)
    words = record["titles"].get(side, "")
    figures = analyse(
        FaultTrial(side, words, left.history, verdict, left.jobs, parts, left.metrics, left.servers)
    )
    return SideOutcome(side, header, verdict, figures, drifts(left.metrics))


def _side_of(header: TrialHeader, sides: Sequence[str]) -> str:
    """Return the side that a trial is of. Raises ``ValueError`` if it is none of the run."""
    if header.side >= len(sides) or Side.parse(sides[header.side]).design != header.design:
        raise ValueError(
            f"side is {header.side} and design {header.design!r}, which is none of the run"
        )
    return sides[header.side]


def _what_ran(plan: recorded.RecordedFaultPlan, sides: tuple[SideOutcome, ...]) -> Iterator[str]:
    """Say in a few sentences what was done."""
    traffic = plan["traffic"]
    load = (
        f"{traffic['rate']:g} calls/s in an open loop"
        if traffic.get("rate")
        else f"{traffic.get('users')} users in a closed loop"
    )
    yield (
        f"Every side on a fresh stack, as {plan['runtime']} processes, under {load}; each fault "
        f"lasts {plan['seconds']:g} s and is followed by {plan['health']:g} s of health, unless it "
        "says otherwise."
    )
    for side in sides:
        if side.unfinished:
            yield side.unfinished
        elif side.figures is not None:
            faults, seconds = len(side.figures.faults), side.figures.seconds
            yield f"{headline(side.side)}: {faults} faults in {seconds:.0f} s."

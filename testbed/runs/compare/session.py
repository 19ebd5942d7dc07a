"""A whole experiment: all trials in order, into one folder."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.drive.fairness import Fairness
from testbed.drive.figures.trial import TrialFigures, analyse
from testbed.drive.interrupts import Interrupted
from testbed.drive.statements import Statement
from testbed.drive.traffic import Traffic
from testbed.drive.trial import Tools, Trial, Workload
from testbed.errors import TestbedError, of_system
from testbed.record import files, reader
from testbed.record.damage import RecordingError
from testbed.record.formats import FORMAT
from testbed.record.model import FAILED, TrialHeader
from testbed.runs.compare import resume, schedule
from testbed.runs.compare.plan import RUNS, Cell, Plan
from testbed.runs.compare.schedule import TrialPlan
from testbed.runs.compare.stopping import CellProgress, cell_progress
from testbed.stack.sides.side import title as title_of

ATTEMPTS = 2
# What is shown of a trial, and of the ratios after a block without a rule of its own.
SHOWN = ("requests_per_second", "SubmitJob_p50_ms", "completion_p50_ms", "cpu_ms_per_job")
ALL_BLOCKS, NARROW = "all blocks were run", "the intervals were narrow enough"


@dataclass(frozen=True)
class RunEnd:
    """How the driving ended: trials run now, trials that an early stop made needless, and why.

    ``system_error`` says that what stopped it was an error of the operating system.
    """

    trials: int
    reason: str = ALL_BLOCKS
    needless: tuple[int, ...] = ()
    interrupted: bool = False
    stopped: str = ""
    system_error: bool = False

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"reason": self.stopped or self.reason, "needless": list(self.needless)}


def run(
    plan: Plan,
    provenance: Mapping[str, Any],
    folder: Path,
    tools: Tools,
    workload: Callable[[Traffic], Workload],
    *,
    titles: Mapping[str, str] | None = None,
    keep_going: bool = False,
    resumed: Mapping[str, Any] | None = None,
) -> RunEnd:
    """Run the trials of ``plan`` into ``folder``, those that it holds already left out.

    A trial that fails or is void is run once more; if it stays so, the experiment stops there, or
    goes on with the next if it is to ``keep_going``. ``workload`` makes what is driven for a
    traffic; ``titles`` says for a reader what each design is; ``resumed`` is what was recorded of
    the run that is resumed.
    """
    record = _record(plan, provenance, titles or {}, resumed)
    # First, for it reads what is there: what cannot be resumed is left as it is.
    session = _Session(plan, folder, tools, workload, keep_going)
    files.write_json(folder / files.EXPERIMENT, record)
    try:
        ended = session.run()
    finally:
        # The trials stop their stacks; this is for a signal that came between two steps of that.
        with tools.interrupts.shield():
            for design in plan.designs:
                tools.stacks.down(design)
    files.write_json(folder / files.EXPERIMENT, {**record, "ended": ended.as_data()})
    return ended


def _record(
    plan: Plan,
    provenance: Mapping[str, Any],
    titles: Mapping[str, str],
    resumed: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what ``experiment.json`` says before the first trial."""
    earlier = resumed or {}
    again = [{"at": datetime.now(UTC).isoformat(timespec="seconds"), **provenance}]
    return {
        "format": FORMAT,
        "plan": {**plan.as_data(), "titles": dict(titles)},
        "schedule": [each.as_data() for each in schedule.make(plan)],
        "provenance": earlier.get("provenance", dict(provenance)),
        "resumed": [*earlier.get("resumed", ()), *(again if resumed else ())],
    }


class _Session:
    """The trials of one run of an experiment, and what is known of them."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        tools: Tools,
        workload: Callable[[Traffic], Workload],
        keep_going: bool,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._tools = tools
        self._workload = workload
        self._keep_going = keep_going
        self._fairness = Fairness(plan.declared)
        self._schedule = schedule.make(plan)
        self._width = max(3, len(str(len(self._schedule))))
        self._figures = list(resume.recorded_trials(folder, plan.limits))
        self._needless: list[int] = []
        self._done = 0
        self._planned = 0

    def run(self) -> RunEnd:
        try:
            self._plan_more(0)
            self._ask_all()
            return self._blocks()
        except Interrupted:
            return self._ended(interrupted=True, stopped="interrupted")
        except TestbedError as error:
            return self._ended(stopped=error.in_one_line)
        except OSError as error:
            return self._ended(stopped=of_system(error).in_one_line, system_error=True)

    def _ended(self, **facts: Any) -> RunEnd:
        return RunEnd(self._done, needless=tuple(self._needless), **facts)

    def _blocks(self) -> RunEnd:
        precise: set[str] = set()
        for block in range(1, self._plan.blocks + 1):
            trials = [each for each in self._schedule if each.block == block]
            for which in trials:
                if repr(sorted(which.cell.factors.items())) in precise:
                    self._needless.append(which.number)
                elif problem := self._run_until_valid(which):
                    return self._ended(stopped=problem)
            if block == 1 and not any(each.valid for each in self._figures):
                return self._ended(stopped="no trial of the first block could be used")
            precise |= self._note_progress(block, precise)
            self._plan_more(len(precise) * (self._plan.blocks - block))
        return self._ended(reason=NARROW if self._needless else ALL_BLOCKS)

    def _run_until_valid(self, which: TrialPlan) -> str:
        """Run a trial until it is valid or has had its attempts; say why to stop, or nothing."""
        if any(_key(each) == which.key and each.valid for each in self._figures):
            return ""
        for attempt in range(1, ATTEMPTS + 1):
            figures = self._try(which, last=attempt == ATTEMPTS)
            if figures.valid:
                return ""
        problem = f"trial {which.number}, {title(which)}: {figures.problems[0]}"
        return "" if self._keep_going else problem

    def _try(self, which: TrialPlan, last: bool) -> TrialFigures:
        self._tools.progress.trial(which.number, title(which))
        path, attempt = self._next_folder(which)
        header = Trial(
            which.spec(attempt),
            self._workload(which.traffic),
            path,
            self._tools,
            lambda statement: self._compare_sides(which, statement),
        ).run()
        self._done += 1
        figures = self._read(header, path)
        self._figures.append(figures)
        if figures.valid:
            self._tools.progress.trial_done(f"complete: {summary(figures)}")
        else:
            reason = figures.problems[0].partition("\n")[0].rstrip(":")
            again = "" if last else "; it is run once more"
            self._tools.progress.trial_done(f"{reason}{again}", good=False)
            self._planned += not last
            self._tools.progress.expect(self._planned)
        return figures

    def _next_folder(self, which: TrialPlan) -> tuple[Path, int]:
        """Return a folder that no earlier attempt has taken, and the number of the attempt."""
        attempt = 1
        while (path := self._folder / files.TRIALS / which.folder(self._width, attempt)).exists():
            attempt += 1
        return path, attempt

    def _read(self, header: TrialHeader, path: Path) -> TrialFigures:
        """Analyse what a trial left; one that cannot be read counts as failed, also on disk."""
        try:
            return analyse(reader.read_trial(path), self._plan.limits)
        except RecordingError as error:
            failed = replace(header, status=FAILED, error=str(error))
            files.write_header(path, failed)
            return analyse(reader.read_trial(path), self._plan.limits)

    def _compare_sides(self, which: TrialPlan, statement: Any) -> None:
        declared, label = which.deployment.declared, which.cell.labels[which.side]
        self._fairness.compare(_asked(which.cell), which.side, statement, declared, label)

    def _ask_all(self) -> None:
        """Bring up every side once and ask it, so that nothing unfair is driven at all."""
        asked: dict[tuple[str, Hashable], Statement] = {}
        for cell in self._plan.cells():
            for side, text in enumerate(cell.sides):
                if (text, cell.spec) not in asked:
                    asked[text, cell.spec] = self._ask(cell, side)
                statement = asked[text, cell.spec]
                declared, label = cell.deployment(side).declared, cell.labels[side]
                self._fairness.compare(_asked(cell), side, statement, declared, label)

    def _ask(self, cell: Cell, side: int) -> Statement:
        stacks, deployment = self._tools.stacks, cell.deployment(side)
        shares = deployment.topology.shares_slots
        slots = f", {deployment.spec.slots} slots" if shares else ""
        self._tools.progress.note(f"asking {title_of(cell.sides[side])} what it runs with{slots}")
        try:
            return self._tools.ask(stacks.up(deployment))
        finally:
            with self._tools.interrupts.shield():
                stacks.down(deployment.design)

    def _note_progress(self, block: int, precise: set[str]) -> set[str]:
        """Report how the cells stand after a block, and return those that know enough."""
        found = cell_progress(self._plan, SHOWN[1:], self._figures, block)
        for each in found:
            if _name(each) not in precise and (each.text or each.precise):
                where = f", {each.cell.name}" if each.cell.name else ""
                more = "; narrow enough, no more blocks of it" if each.precise else ""
                self._tools.progress.note(
                    f"after block {block} of {self._plan.blocks}{where}: {each.text}{more}"
                )
        return {_name(each) for each in found if each.precise}

    def _plan_more(self, needless_blocks: int) -> None:
        """Report how many trials there will be, by the blocks of cells that are needless now."""
        kept = {_key(each) for each in self._figures if each.valid}
        open_ = [each for each in self._schedule if each.key not in kept]
        if not self._planned:
            self._planned = len(open_)
        needless = needless_blocks * RUNS * len(self._plan.sides)
        self._tools.progress.expect(max(self._done, self._planned - needless))


def title(which: TrialPlan) -> str:
    """Name a trial by its block, cell and side."""
    levels = ", ".join(f"{name}={level}" for name, level in which.cell.factors.items())
    return f"block {which.block}{', ' if levels else ''}{levels}, {title_of(which.text)}"


def summary(figures: TrialFigures, shown: Sequence[str] = SHOWN) -> str:
    """Give the main figures of a trial in one line."""
    units = {"requests_per_second": "calls/s", "cpu_ms_per_job": "ms CPU per job"}
    parts = []
    for name in shown:
        figure = figures.figures.get(name)
        if figure is not None and figure.value is not None:
            words = units.get(name, f"ms {name.removesuffix('_ms').replace('_', ' ')}")
            parts.append(f"{figure.value:.3g} {words}")
    return ", ".join(parts)


def _key(figures: TrialFigures) -> tuple[int, int, int, str]:
    header = figures.header
    levels = repr(sorted(header.plan_cell.items()))
    return header.block, header.position, header.side, levels


def _asked(cell: Cell) -> Hashable:
    """Return what the stacks of a cell are started with: cells with the same ask the same."""
    return cell.sides, cell.spec


def _name(progress: CellProgress) -> str:
    return repr(sorted(progress.cell.factors.items()))

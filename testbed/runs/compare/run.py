"""Runs a checked plan from the command line: checks, drives, reports."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.text import Text

from common.handlers import registry
from testbed import hints
from testbed.drive import outputs, provenance
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.load import Locust
from testbed.drive.pace import Pace
from testbed.drive.stacks import RuntimeStacks, require_startable
from testbed.drive.timed import TimedLoad, expected_phases
from testbed.drive.trial import Tools
from testbed.errors import ERROR_EXIT, INTERRUPT_EXIT, TestbedError
from testbed.report import console, progress
from testbed.report.numbers import listed
from testbed.report.page import REPORT
from testbed.report.surroundings import make_ready, note_surroundings
from testbed.runs.compare import resume, session, thresholds
from testbed.runs.compare.comparison import Comparison
from testbed.runs.compare.plan import Plan
from testbed.runs.compare.report import rebuild, terminal
from testbed.runs.compare.report.files import COMPARISON_CSV, COMPARISON_JSON, TRIALS_CSV
from testbed.runs.compare.report.junit import JUNIT_XML
from testbed.runs.compare.report.rebuild import Rebuilt
from testbed.runs.compare.report.summary import SUMMARY_MD
from testbed.runs.compare.resume import ResumeError
from testbed.runs.faults import run as faults
from testbed.runs.faults import session as fault_session
from testbed.runs.faults.plan import FaultPlan
from testbed.runs.faults.report import terminal as under_faults
from testbed.stack import records as stacks
from testbed.stack.sides.resolve import Deployment
from testbed.stack.sides.side import Side, labels

LOCUSTFILE = Path("locustfiles", "mixed.py")


def kinds() -> tuple[str, ...]:
    """Name the kinds of job that plans may use."""
    return tuple(registry.load().names())


def run_plan(
    plan: Plan,
    *,
    keep_going: bool,
    folder: Path | None = None,
    earlier: Mapping[str, Any] | None = None,
    force: bool = False,
) -> int:
    """Run a plan and return the exit code.

    With ``folder`` and what was recorded there ``earlier``, go on with that experiment. Raises
    :class:`TestbedError` if it cannot start; then nothing was started or written.
    """
    home = stacks.project_root()
    _check(plan, home)
    fault_plan = _fault_plan(plan, home)
    if fault_plan is not None:
        faults.check(fault_plan, home)
    first = plan.cells()[0]
    deployments = [first.deployment(side) for side in range(len(first.sides))]
    origin = {
        **provenance.collect(home, ("testbed", *sys.argv[1:]), deployments),
        "code": resume.code_digest(home),
    }
    if earlier is not None:
        _check_resumed(earlier, plan, origin, force)
    if folder is not None:
        outputs.require_writable(folder)
    target = folder or outputs.new_folder(home / "results", plan.name)
    _opening(plan, origin, target, resumed=folder is not None)
    _note_left_out(plan, fault_plan)
    faulted: fault_session.FaultRunEnd | None = None
    interrupts = Interrupts(console.note_still_stopping)
    with interrupts.installed(), contextlib.suppress(Interrupted):
        ended = _run_trials(plan, target, origin, interrupts, keep_going, earlier)
        if fault_plan is not None and not ended.stopped:
            faulted = _run_faults(fault_plan, home, target / rebuild.FAULTS, origin, interrupts)
        with interrupts.shield():
            rebuilt = report(target)
            met = _show_thresholds(rebuilt.comparison, plan)
            _closing(target, ended, rebuilt.comparison)
    if interrupts.happened:
        return INTERRUPT_EXIT
    if ended.system_error or (faulted is not None and faulted.system_error):
        return ERROR_EXIT
    good = not ended.stopped and (faulted is None or not faulted.stopped)
    return 0 if good and rebuilt.comparison.complete and met and rebuilt.kept else 1


def _run_trials(
    plan: Plan,
    folder: Path,
    origin: Mapping[str, Any],
    interrupts: Interrupts,
    keep_going: bool,
    earlier: Mapping[str, Any] | None,
) -> session.RunEnd:
    """Run all trials of a plan, or what ``earlier`` ones left to be run, with a bar over them."""
    trials = plan.trials
    pace = Pace(trials, expected_phases(plan.traffic), time.monotonic)
    locustfile = stacks.project_root() / LOCUSTFILE
    with progress.shown(console.err, pace, trials) as display:
        started = RuntimeStacks(display)
        return session.run(
            plan,
            origin,
            folder,
            Tools(started, display, interrupts, watches_servers=True),
            lambda traffic: TimedLoad(traffic, Locust(locustfile, traffic), plan.audit),
            titles=_titles(plan),
            keep_going=keep_going,
            resumed=earlier,
        )


def _fault_plan(plan: Plan, home: Path) -> FaultPlan | None:
    """Return the fault plan that a comparison ends with, ``None`` if it has none.

    It injects faults into the sides that are compared, each once. A server that is there already
    is left alone, and so is a design of which the plan names no target.
    """
    if not plan.faults:
        return None
    named = faults.read(home, plan.faults, {})
    sides = [each for each in dict.fromkeys(plan.sides) if named.hits(Side.parse(each).design)]
    if not sides:
        return None
    return replace(
        named,
        sides=tuple(sides),
        runtime=plan.runtime,
        slots=plan.slots,
        workers=plan.workers,
    )


def _titles(plan: Plan) -> dict[str, str]:
    """Say for a reader what each design is, by its name."""
    cell = plan.cells()[0]
    found = [cell.deployment(side) for side in range(len(cell.sides))]
    return {each.design: each.topology.title for each in found}


def _run_faults(
    plan: FaultPlan, home: Path, folder: Path, origin: Mapping[str, Any], interrupts: Interrupts
) -> fault_session.FaultRunEnd:
    """Run the fault plan of a comparison, in place of what an earlier attempt at it left."""
    if fault_session.is_whole(folder):
        return fault_session.FaultRunEnd()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return faults.run_plan(plan, home, folder, origin, interrupts)


def _check(plan: Plan, home: Path) -> None:
    """Raise :class:`TestbedError` for what cannot be driven here and now."""
    make_ready(plan.sides, plan.runtime)
    cells = plan.cells()
    deployments = [cell.deployment(side) for cell in cells for side in range(len(cell.sides))]
    require_startable(deployments)
    _check_served(plan, deployments)
    scalable = any(each.topology.is_scalable for each in deployments)
    for spec in dict.fromkeys(cell.spec for cell in cells):
        if spec.workers > 1 and not scalable:
            raise TestbedError(
                f"workers {spec.workers}: {', '.join(plan.sides)} has no workers to scale",
                "leave workers out",
            )
    # Locust reads the mix; once for each mix that the plan has.
    for traffic in {cell.traffic.mix: cell.traffic for cell in cells}.values():
        Locust(home / LOCUSTFILE, replace(traffic, seed=plan.traffic.seed)).check()


def _check_served(plan: Plan, deployments: Sequence[Deployment]) -> None:
    """Raise :class:`TestbedError` for calls of the traffic that a declared server does not have."""
    for each in deployments:
        for mix in {cell.traffic.mix for cell in plan.cells()}:
            if each.declaration and (lacking := each.declaration.unserved(mix)):
                raise TestbedError(
                    f"side {str(each)!r} declares no {', '.join(lacking)}, and the mix calls them",
                    "give a --mix without them",
                )


def _check_resumed(
    earlier: Mapping[str, Any], plan: Plan, origin: Mapping[str, Any], force: bool
) -> None:
    found = list(resume.differences(earlier, plan, origin))
    if not found:
        return
    listed = "".join(f"\n  {each}" for each in found)
    if not force:
        raise ResumeError(
            f"this is not the experiment that was interrupted:{listed}",
            "--force goes on all the same, and the trials then do not all measure the same",
        )
    console.note(f"note  goes on although something is not the same:{listed}")


def report(folder: Path) -> Rebuilt:
    """Analyse what is recorded in ``folder``, write the result's files there and print it."""
    with console.working("working out what was recorded") as on_progress:
        rebuilt = rebuild.write(folder, on_progress)
    if rebuilt.comparison.trials:
        terminal.show(console.out, rebuilt.comparison, rebuilt.recorded.plan)
    if rebuilt.faults is not None and rebuilt.faults.figures:
        console.out.print(Text("\nunder faults", style="bold"))
        console.out.print(under_faults(rebuilt.faults.figures, brief=True))
    for each in rebuilt.faults.unfinished if rebuilt.faults else ():
        console.out.print(Text(each, style="bold red"))
    return rebuilt


def _show_thresholds(comparison: Comparison, plan: Plan) -> bool:
    """Print how the thresholds of the plan are met; return whether all are."""
    checked = thresholds.check(comparison, plan.thresholds)
    for each in checked:
        word, style = ("met   ", "green") if each.met else ("FAILED", "bold red")
        console.out.print(Text(f"{word}  {each.text}", style=style))
    return all(each.met for each in checked)


def _opening(plan: Plan, origin: Mapping[str, Any], folder: Path, resumed: bool) -> None:
    cells = len(plan.cells())
    what = f"{plan.blocks} blocks" + (f" of {cells} cells" if cells > 1 else "")
    sides = listed(list(labels(plan.sides)))
    console.note(
        f"{'Going on with' if resumed else 'Running'} {plan.name}: {sides}, {what}, "
        f"{'at most' if plan.stop else 'about'} {progress.minutes(plan.seconds())}. Ctrl-C stops "
        "it and keeps what there is."
    )
    console.note(f"Raw data: {folder}")
    note_surroundings(origin["machine"], plan.sides)


def _note_left_out(plan: Plan, fault_plan: FaultPlan | None) -> None:
    """Say into which sides no faults are injected although the plan ends with some."""
    hit = fault_plan.sides if fault_plan else ()
    left_out = [each for each in dict.fromkeys(plan.sides) if each not in hit]
    if plan.faults and left_out:
        console.note(
            f"note  no faults are injected into {listed(left_out)}: the plan {plan.faults!r} names "
            "no target there"
        )


def _closing(folder: Path, ended: session.RunEnd, comparison: Comparison) -> None:
    """Say where the result is; ``results/latest`` moves on only if nothing stopped it."""
    names = f"{REPORT},{COMPARISON_JSON},{COMPARISON_CSV},{TRIALS_CSV},{JUNIT_XML},{SUMMARY_MD}"
    lines = [f"Report: {shlex.quote(str(folder))}/{{{names}}}"]
    if ended.stopped:
        lines.insert(
            0, f"Stopped after {ended.trials} trials: {ended.stopped.partition(chr(10))[0]}"
        )
        lines.append("        Nothing is left running.")
    else:
        link = outputs.point_latest(folder)
        lines.append(f"        {link} points there. Nothing is left running.")
        lines.insert(0, f"Ended: {ended.reason}.")
    if not comparison.complete:
        again = hints.command("testbed", "run", "--resume", folder)
        lines.append(f"        To run what is missing: {again}")
    console.out.print()
    for line in lines:
        console.out.print(Text(line))

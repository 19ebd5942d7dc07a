"""Carries out a fault plan from the command line, alone or as the end of a comparison."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.text import Text

from common.handlers import registry
from testbed.drive.interrupts import Interrupts
from testbed.drive.load import Locust
from testbed.drive.pace import Pace
from testbed.drive.stacks import RuntimeStacks, check_fresh
from testbed.drive.trial import Tools
from testbed.errors import TestbedError
from testbed.report import console, progress
from testbed.runs.compare import planfile
from testbed.runs.compare.plan import Plan
from testbed.runs.compare.planfile import Source
from testbed.runs.faults import session
from testbed.runs.faults.plan import FaultPlan
from testbed.runs.faults.planfile import FOLDER, changed, parse
from testbed.runs.faults.workload import LOCUSTFILE, FaultWorkload
from testbed.stack import designs, runtimes


def find(home: Path, plan: str) -> Path:
    """Return the file of a fault plan, by its name or a path. Raises :class:`TestbedError`."""
    if plan.endswith(planfile.SUFFIX):
        return Path(planfile.resolved(plan))
    known = {path.stem: path for path in sorted((home / FOLDER).glob("*.toml"))}
    if plan not in known:
        raise TestbedError(
            f"there is no fault plan {plan!r} in {home / FOLDER}",
            f"there are: {', '.join(known)}" if known else "run this in the project",
        )
    return known[plan]


def read(home: Path, plan: str, changes: Mapping[str, Any]) -> FaultPlan:
    """Read a fault plan with ``changes`` by key. Raises :class:`TestbedError`."""
    path = find(home, plan)
    options = {key: f"--set {key}" for key in changes}
    data = changed(planfile.load(path), changes)
    return parse(data, Source(str(path), options), tuple(registry.load().names()))


def of_comparison(home: Path, plan: Plan) -> FaultPlan | None:
    """Return the fault plan that a comparison ends with, ``None`` if it has none.

    It breaks the stacks that are compared: the same designs, as large, in the same runtime.
    """
    if not plan.faults:
        return None
    return replace(
        read(home, plan.faults, {}),
        designs=plan.designs,
        runtime=plan.runtime,
        slots=plan.slots,
        workers=plan.workers,
    )


def check(plan: FaultPlan, home: Path) -> None:
    """Raise :class:`TestbedError` for what cannot be carried out here and now."""
    for design in plan.designs:
        topology = designs.load(design).scaled(plan.workers)
        check_fresh([design], plan.spec(plan.schedule(topology)))
    Locust(home / LOCUSTFILE, plan.traffic).check()


def carry_out(
    plan: FaultPlan,
    home: Path,
    folder: Path,
    provenance: Mapping[str, Any],
    interrupts: Interrupts,
) -> session.Ended:
    """Run a checked plan into ``folder`` and say how far it is meanwhile."""
    phases = session.phases(plan)
    seconds = sum(phases.values()) * len(plan.designs)
    console.err.print(
        Text(
            f"Breaking {' and '.join(each.upper() for each in plan.designs)} by the fault plan "
            f"{plan.name}, about {progress.minutes(seconds)}."
        )
    )
    pace = Pace(len(plan.designs), phases, time.monotonic)
    with progress.shown(console.err, pace, len(plan.designs)) as told:
        runtime = runtimes.get(plan.runtime)
        stacks = RuntimeStacks(runtime, told)

        def workload(design: str) -> FaultWorkload:
            return FaultWorkload(plan, designs.load(design), runtime, stacks, home)

        return session.run(plan, provenance, folder, Tools(stacks, told, interrupts), workload)

"""Runs a fault plan from the command line, alone or as the end of a comparison."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.text import Text

from common.handlers import registry
from testbed.drive import plan_reader
from testbed.drive.interrupts import Interrupts
from testbed.drive.load import Locust
from testbed.drive.pace import Pace
from testbed.drive.plan_reader import PlanSource
from testbed.drive.stacks import RuntimeStacks, require_startable
from testbed.drive.trial import Tools
from testbed.report import console, progress
from testbed.report.surroundings import make_ready
from testbed.runs.faults import session
from testbed.runs.faults.plan import FaultPlan
from testbed.runs.faults.planfile import FOLDER, changed, parse
from testbed.runs.faults.workload import LOCUSTFILE, FaultWorkload
from testbed.stack.sides.resolve import Deployment
from testbed.stack.sides.side import labels


def read(home: Path, plan: str, changes: Mapping[str, Any]) -> FaultPlan:
    """Read a fault plan with ``changes`` by key. Raises :class:`TestbedError`."""
    path = plan_reader.find(home / FOLDER, plan)
    options = {key: f"--set {key}" for key in changes}
    data = changed(plan_reader.load(path), changes)
    return parse(data, PlanSource(str(path), options), tuple(registry.load().names()))


def check(plan: FaultPlan, home: Path) -> None:
    """Raise :class:`TestbedError` for what cannot be run here and now."""
    make_ready(plan.sides, plan.runtime)
    require_startable(plan.deployments())
    Locust(home / LOCUSTFILE, plan.traffic).check()


def run_plan(
    plan: FaultPlan,
    home: Path,
    folder: Path,
    provenance: Mapping[str, Any],
    interrupts: Interrupts,
) -> session.FaultRunEnd:
    """Run a checked plan into ``folder`` and say how far it is meanwhile."""
    phases = session.phases(plan)
    seconds = sum(phases.values()) * len(plan.sides)
    console.err.print(
        Text(
            f"Injecting the faults of {plan.name} into "
            f"{' and '.join(labels(plan.sides))}, "
            f"about {progress.minutes(seconds)}."
        )
    )
    pace = Pace(len(plan.sides), phases, time.monotonic)
    with progress.shown(console.err, pace, len(plan.sides)) as display:
        stacks = RuntimeStacks(display)

        def workload(deployment: Deployment) -> FaultWorkload:
            return FaultWorkload(plan, deployment, stacks, home)

        tools = Tools(stacks, display, interrupts, watches_servers=True)
        return session.run(plan, provenance, folder, tools, workload)

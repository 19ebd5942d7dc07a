"""A whole fault run: every design of the plan in turn, into one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.drive.interrupts import Interrupted
from testbed.drive.trial import AUDIT, DOWN, DRIVE, UP, Tools, Trial, TrialSpec
from testbed.errors import TestbedError, of_system
from testbed.record import files
from testbed.record.model import COMPLETE
from testbed.runs.faults.plan import DOWN_SECONDS, LOOKUP_SECONDS, UP_SECONDS, FaultPlan
from testbed.runs.faults.workload import FaultWorkload
from testbed.stack.sides.resolve import Deployment
from testbed.stack.sides.side import folder_name, title

FORMAT = 2
EXPERIMENT = "fault-run.json"


@dataclass(frozen=True)
class FaultRunEnd:
    """How a fault run ended: why it stopped before its end, empty if it did not.

    ``system_error`` says that what stopped it was an error of the operating system.
    """

    stopped: str = ""
    system_error: bool = False


def phases(plan: FaultPlan) -> Mapping[str, float]:
    """Return the seconds expected of each phase of one side."""
    drive = max(plan.drive_seconds(plan.schedule(each)) for each in plan.deployments())
    # About a hundred jobs are looked up in the time in which ten were submitted.
    return {UP: UP_SECONDS, DRIVE: drive, AUDIT: LOOKUP_SECONDS + drive / 10, DOWN: DOWN_SECONDS}


def run(
    plan: FaultPlan,
    provenance: Mapping[str, Any],
    folder: Path,
    tools: Tools,
    workload: Callable[[Deployment], FaultWorkload],
) -> FaultRunEnd:
    """Run every side into ``folder``; one that fails does not keep the next from being run.

    ``workload`` makes what is driven against a side.
    """
    deployments = plan.deployments()
    record = {
        "format": FORMAT,
        "plan": plan.as_data(),
        "titles": {str(each): each.topology.title for each in deployments},
        "provenance": dict(provenance),
    }
    files.write_json(folder / EXPERIMENT, record)
    stopped, system_error = "", False
    try:
        for number, each in enumerate(deployments, start=1):
            tools.progress.trial(number, f"{title(str(each))} under faults")
            path = folder / files.TRIALS / f"{number:03d}-{folder_name(each.side)}"
            spec = TrialSpec(number, each, position=number, side=number - 1)
            header = Trial(spec, workload(each), path, tools).run()
            if header.status == COMPLETE:
                tools.progress.trial_done("complete")
            else:
                tools.progress.trial_done(header.error, good=False)
    except Interrupted:
        stopped = "interrupted"
    except TestbedError as error:
        stopped = str(error)
    except OSError as error:
        stopped, system_error = of_system(error).in_one_line, True
    finally:
        # The sides stop their stacks; this is for a signal that came between two steps of that.
        with tools.interrupts.shield():
            for each in deployments:
                tools.stacks.down(each.design)
    files.write_json(folder / EXPERIMENT, {**record, "ended": {"stopped": stopped}})
    return FaultRunEnd(stopped, system_error)


def is_whole(folder: Path) -> bool:
    """Say whether a folder holds a fault run that nothing stopped."""
    path = folder / EXPERIMENT
    return path.exists() and files.read_json(path).get("ended") == {"stopped": ""}

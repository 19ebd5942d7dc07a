"""The load of a fault run: it goes on while faults are injected, and keeps a history of calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testbed.drive.audit import retention_of
from testbed.drive.figures.validity import length_problems
from testbed.drive.load import LOCUST, Locust
from testbed.drive.ports import TrialFailed
from testbed.drive.stacks import RuntimeStacks
from testbed.drive.trial import Audited, Drive
from testbed.record import files
from testbed.record.history.model import IDS_BY_HOME
from testbed.record.history.writer import HistoryWriter
from testbed.record.load import read_window
from testbed.runs.faults.injector import FaultInjector
from testbed.runs.faults.plan import FaultPlan, PlannedFault
from testbed.runs.faults.recorded_audit import CLIENT, recorded_audit
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Runtime
from testbed.stack.sides.resolve import Deployment

LOCUSTFILE = Path("locustfiles", "checked.py")
FAULTS = "faults.json"
# Who writes the history of the faults; the audit has its own.
INJECTOR = "faults"
# Locust ends the calls in flight, then writes what it has recorded.
END_SECONDS = 60.0
# How long Locust may take from its start to its first users.
START_SECONDS = 60.0


@dataclass(frozen=True)
class FaultWorkload:
    """Drives one side of a fault plan and injects its faults meanwhile.

    ``home`` has the locustfiles.
    """

    plan: FaultPlan
    deployment: Deployment
    stacks: RuntimeStacks
    home: Path
    schedule: tuple[PlannedFault, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", self.plan.schedule(self.deployment))

    @property
    def generator(self) -> str:
        """Name of the load generator."""
        return LOCUST

    @property
    def seconds(self) -> float:
        """Seconds that the drive takes if every fault is healed in time."""
        return self.plan.drive_seconds(self.schedule)

    def command(self, stack: StackRecord, folder: Path) -> Sequence[str]:
        """Return the command of a load that goes on until it is stopped."""
        return Locust(self.home / LOCUSTFILE, self.plan.traffic).endless(stack, folder)

    def drive(self, drive: Drive) -> None:
        """Inject the faults from the first second of the load on, then end it.

        Raises :class:`TrialFailed` if the load did not last as long.
        """
        drive.load.wait_until_driving(START_SECONDS)
        begun = time.time()
        self._inject(drive)
        asked = time.time() - begun
        with drive.interrupts.shield():
            drive.load.finish(END_SECONDS)
        drive.load.require_left(files.LOAD)
        for problem in length_problems(read_window(drive.folder), asked):
            raise TrialFailed(f"{problem} of the schedule of faults")

    def _inject(self, drive: Drive) -> None:
        writer = self._writer(drive.folder, INJECTOR)
        injector = FaultInjector(
            self.plan,
            self.deployment.scaled,
            self._runtime.controls(drive.stack),
            writer,
            unhealthy=lambda: self._unhealthy(drive.stack),
            watch=drive.load.require_alive,
            on_progress=drive.progress.detail,
        )
        try:
            injector.run(self.schedule)
        finally:
            writer.close()
            files.write_json(
                drive.folder / FAULTS, {"schedule": [each.as_data() for each in injector.done]}
            )

    def audit(
        self, stack: StackRecord, folder: Path, on_progress: Callable[[str], None]
    ) -> Audited:
        """Look up every job, as a client of its own in the history."""

        def count(done: int, total: int) -> None:
            if done % 100 == 0 or done == total:
                on_progress(f"{done:,} of {total:,} jobs looked up")

        accepted = files.read_accepted(folder)
        retention = retention_of(stack)
        writer = self._writer(folder, CLIENT, retention)
        try:
            found = recorded_audit(
                stack.endpoints, accepted, self.plan.audit, writer, count, retention
            )
        finally:
            writer.close()
        schedule = files.read_json(folder / FAULTS)["schedule"]
        lost_state = any(each["lost_state"] for each in schedule)
        # Which jobs may be left where memory was lost is for the checker to say.
        return Audited(found.jobs, found.unlisted if lost_state else found.problem)

    def _unhealthy(self, stack: StackRecord) -> tuple[str, ...]:
        """Name the processes that do not serve."""
        # The record of the start has the processes of then; those of now are on disk.
        found = self._runtime.status(self.stacks.now(stack.design))
        return tuple(each.record.name for each in found if not each.healthy)

    def _writer(self, folder: Path, who: str, retention: float = 0) -> HistoryWriter:
        path = folder / f"history-{who}.jsonl"
        return HistoryWriter(path, self.deployment.design, IDS_BY_HOME, retention)

    @property
    def _runtime(self) -> Runtime:
        return self.stacks.runtime(self.deployment.spec.runtime)

"""A load of fixed duration, after which every accepted job is looked up until it is terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from testbed.drive import audit as auditing
from testbed.drive import live
from testbed.drive.load import END_GRACE, LOCUST, run_seconds
from testbed.drive.ports import LoadCommand
from testbed.drive.traffic import Traffic
from testbed.drive.trial import AUDIT, DOWN, DRIVE, UP, Audited, Drive
from testbed.record import files
from testbed.record.model import EXTERNAL, JobRow
from testbed.stack.records import StackRecord

Auditor = Callable[
    [Sequence[str], Sequence[str], float, Callable[[int, int], None], float], tuple[JobRow, ...]
]
# Seconds that the load generator takes to start.
START_SECONDS = 2.0
# Seconds of a trial besides its drive, as measured on two cores.
_UP_SECONDS, _DRIVE_OVERHEAD, _AUDIT_SECONDS, _DOWN_SECONDS = 2.0, 2.0, 0.5, 1.0


def expected_phases(traffic: Traffic) -> dict[str, float]:
    """Return the phases of a trial with a timed load, in order, and the seconds of each."""
    return {
        UP: _UP_SECONDS,
        DRIVE: traffic.seconds + _DRIVE_OVERHEAD,
        AUDIT: _AUDIT_SECONDS,
        DOWN: _DOWN_SECONDS,
    }


@dataclass(frozen=True)
class TimedLoad:
    """The workload of a trial that is measured.

    ``load`` makes the command of the load generator for ``traffic``. The wait for jobs that are
    left after the drive is bounded by ``audit_seconds``.
    """

    traffic: Traffic
    load: LoadCommand
    audit_seconds: float
    auditor: Auditor = auditing.audit

    @property
    def generator(self) -> str:
        """Name of the load generator."""
        return LOCUST

    @property
    def seconds(self) -> float:
        return run_seconds(self.traffic) + START_SECONDS

    def command(self, stack: StackRecord, folder: Path) -> Sequence[str]:
        return self.load(stack, folder)

    def drive(self, drive: Drive) -> None:
        """Wait until the load ends by itself; raises if it or the stack ends otherwise."""

        def watch() -> None:
            drive.require_stack()
            if figures := live.figures(drive.folder):
                drive.progress.detail(figures)

        drive.load.wait(run_seconds(self.traffic) + END_GRACE, watch=watch)
        drive.load.require_left(files.LOAD)
        drive.sampler.finish()
        drive.require_stack()

    def audit(
        self, stack: StackRecord, folder: Path, on_progress: Callable[[str], None]
    ) -> Audited:
        """Look up every job until it is terminal or the time is up."""
        jobs = self.auditor(
            stack.endpoints,
            files.read_accepted(folder),
            self.audit_seconds,
            lambda done, total: on_progress(f"{done:,} of {total:,} jobs terminal"),
            auditing.retention_of(stack),
        )
        return Audited(jobs if stack.runtime != EXTERNAL else _of_this_drive(jobs, stack))


def _of_this_drive(jobs: Sequence[JobRow], stack: StackRecord) -> tuple[JobRow, ...]:
    """Leave out the jobs of others that a server had before: those of earlier drives above all.

    A stack that was started for the drive has none.
    """
    began = datetime.fromisoformat(stack.started).timestamp() * 1e6
    return tuple(job for job in jobs if job.accepted or (job.create_us or began) >= began)

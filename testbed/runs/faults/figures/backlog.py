"""Jobs queued or running over time.

They are worked out from the times of the jobs that the audit found. Where a process that held jobs
has lost its memory these are too few, so that what the owners reported has to serve.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from testbed.record.model import OPEN_STATES, JobRow
from testbed.record.series import MetricSeries
from testbed.runs.faults.figures.model import SECOND, Backlog, MeasuredFault
from testbed.runs.faults.figures.windows import DriveWindow

# The gauge of the owners of jobs, by state.
GAUGE = "taskqueue_jobs"
# Above this share of jobs without usable times these do not show the backlog. Below it they show
# more than gauges do, for a scrape is late where a process is out.
UNTIMED_LIMIT = 0.2
BASELINE_US = 5 * SECOND
TOLERANCE_US = SECOND

_Times = NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """A number that changes at ``times`` to ``values``, and is 0 before the first of them."""

    times: _Times
    values: _Times

    def at(self, moment: int) -> int:
        """Return the number at a moment."""
        place = int(np.searchsorted(self.times, moment, side="right")) - 1
        return int(self.values[place]) if place >= 0 else 0

    def most(self, begun: int, ended: int) -> int:
        """Return the highest number from one moment up to another."""
        first, last = np.searchsorted(self.times, (begun, ended), side="right")
        inside = self.values[first:last]
        return max(self.at(begun), int(inside.max()) if inside.size else 0)

    def median(self, begun: int, ended: int) -> float:
        """Return the number that was not exceeded for half of the time; that at the end of none."""
        if ended <= begun:
            return float(self.at(ended))
        first, last = np.searchsorted(self.times, (begun, ended), side="right")
        values = np.concatenate(([self.at(begun)], self.values[first:last]))
        lasted = np.diff(np.concatenate(([begun], self.times[first:last], [ended])))
        order = np.argsort(values, kind="stable")
        place = int(np.searchsorted(np.cumsum(lasted[order]), lasted.sum() / 2))
        return float(values[order][min(place, values.size - 1)])

    def falls_to(self, wanted: float, begun: int, ended: int) -> int | None:
        """Return the first moment from ``begun`` on at which it is no more than ``wanted``."""
        if self.at(begun) <= wanted:
            return begun
        first, last = np.searchsorted(self.times, (begun, ended), side="right")
        reached = np.flatnonzero(self.values[first:last] <= wanted)
        return int(self.times[first + reached[0]]) if reached.size else None


def usable(job: JobRow, offset: int, over: DriveWindow) -> bool:
    """Say whether the times of a job can be: in the right order, and not before the drive."""
    if job.create_us is None:
        return False
    if job.create_us + offset < over.begun - TOLERANCE_US:
        return False
    times = [time for time in (job.create_us, job.start_us, job.finish_us) if time is not None]
    return times == sorted(times) and (job.finish_us is not None or job.state in OPEN_STATES)


def level(jobs: Iterable[JobRow], offset: int) -> Level | None:
    """Return the backlog of jobs with usable times; ``None`` if there is no such job."""
    created, finished = [], []
    for job in jobs:
        assert job.create_us is not None
        created.append(job.create_us + offset)
        if job.finish_us is not None:
            finished.append(job.finish_us + offset)
    if not created:
        return None
    times = np.array(created + finished, dtype=np.int64)
    steps = np.repeat(np.array([1, -1]), (len(created), len(finished)))
    # Of a job that comes and one that goes at the same time, the one that goes is first.
    order = np.lexsort((steps, times))
    return Level(times[order], np.cumsum(steps[order]))


def sampled(metrics: MetricSeries, offset: int) -> Level | None:
    """Return the backlog as the owners of jobs reported it at each scrape; ``None`` if none did.

    One that does not answer counts with what it reported last.
    """
    moments, steps = [], []
    for process in metrics.by_process.values():
        series = [
            each for state in OPEN_STATES for each in process.matching(GAUGE, {"state": state})
        ]
        if not series:
            continue
        reported = [
            sum(each.value(index) for each in series) for index in range(len(process.times))
        ]
        moments += [round(unix * SECOND) + offset for unix in process.times]
        steps += [after - before for before, after in pairwise((0.0, *reported))]
    if not moments:
        return None
    times = np.array(moments, dtype=np.int64)
    order = np.argsort(times, kind="stable")
    changes = np.rint(np.array(steps)).astype(np.int64)
    return Level(times[order], np.cumsum(changes[order]))


def around(faults: Sequence[MeasuredFault], jobs: Level) -> list[Backlog]:
    """Return the backlog around each fault."""
    found = []
    for index, fault in enumerate(faults):
        since = max((each.ended_us for each in faults[:index]), default=0)
        found.append(_around(fault, since, jobs))
    return found


def scatter(level: float) -> float:
    """Return by how much a count may exceed its usual level without meaning anything."""
    return max(1.0, 2 * math.sqrt(level))


def _around(fault: MeasuredFault, since: int, jobs: Level) -> Backlog:
    begun, healed = fault.begun_us, fault.ended_us
    before = jobs.median(max(begun - BASELINE_US, min(since, begun)), begun)
    drained = jobs.falls_to(before + scatter(before), healed, fault.until_us)
    return Backlog(
        before=before,
        at_end=jobs.at(healed),
        peak=jobs.most(begun, fault.until_us if drained is None else drained),
        drain_s=None if drained is None else (drained - healed) / SECOND,
        watched_s=max(0, fault.until_us - healed) / SECOND,
    )

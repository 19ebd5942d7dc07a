"""Which executions of which jobs are known: from every answer that shows a job, and the audit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from testbed.analysis.faults.model import SECOND, Fault, Recovery
from testbed.analysis.faults.windows import ARROW
from testbed.history.model import OPEN_END, History, Listed, Operation, Seen
from testbed.recording.model import OPEN_STATES, JobRow


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution that was seen: where it ran, and since when on the clock of the history."""

    attempt: int
    worker: str
    start_us: int


Known = Mapping[str, Sequence[Execution]]


def shown(call: Operation) -> Iterator[Seen]:
    """Give the jobs that an answer shows."""
    if isinstance(call.answer, Seen):
        yield call.answer
    elif isinstance(call.answer, Listed):
        yield from call.answer.jobs


def known(history: History, jobs: Iterable[JobRow]) -> Known:
    """Return the executions of each job that were seen, by their attempt."""
    found: dict[str, dict[int, Execution]] = defaultdict(dict)
    offset = history.clock_us - history.unix_us
    seen: Iterator[Seen | JobRow] = (each for call in history.operations for each in shown(call))
    for source in (seen, jobs):
        for each in source:
            if each.start_us is not None and each.attempt:
                found[each.job_id][each.attempt] = Execution(
                    each.attempt, each.worker, each.start_us + offset
                )
    return {
        job_id: [attempts[number] for number in sorted(attempts)]
        for job_id, attempts in found.items()
    }


def filled(history: History, jobs: Iterable[JobRow]) -> list[JobRow]:
    """Return the jobs; those that were gone in the end with the times that answers had shown."""
    rows = list(jobs)
    gone = {row.job_id for row in rows if row.create_us is None}
    last: dict[str, Seen] = {}
    for call in history.operations:
        for each in shown(call):
            if each.job_id in gone:
                before = last.get(each.job_id)
                if before is None or _later(each) >= _later(before):
                    last[each.job_id] = each
    return [
        replace(
            row,
            attempt=told.attempt,
            create_us=told.create_us,
            start_us=told.start_us,
            finish_us=told.finish_us,
            worker=told.worker,
        )
        if (told := last.get(row.job_id))
        else row
        for row in rows
    ]


def _later(job: Seen) -> tuple[bool, int, bool]:
    return job.finish_us is not None, job.attempt, job.start_us is not None


def in_excess(executions: Known) -> int:
    """Return how many executions beyond the first of a job were seen to start."""
    return sum(len(each) - 1 for each in executions.values())


class Afoot:
    """Finds the jobs that had been created at a moment and had not ended."""

    def __init__(self, jobs: Sequence[JobRow], executions: Known, offset: int) -> None:
        self._jobs = [(job, executions.get(job.job_id, ())) for job in jobs]
        self._created = np.array([_created(*each, offset) for each in self._jobs], dtype=np.int64)
        self._finished = np.array(
            [OPEN_END if job.finish_us is None else job.finish_us + offset for job in jobs],
            dtype=np.int64,
        )

    def at(self, moment: int) -> Iterator[tuple[JobRow, Sequence[Execution]]]:
        """Give each of them with its executions."""
        for index in np.flatnonzero((self._created <= moment) & (self._finished > moment)):
            yield self._jobs[index]


def _created(job: JobRow, runs: Sequence[Execution], offset: int) -> int:
    if job.create_us is not None:
        return job.create_us + offset
    return runs[0].start_us if runs else OPEN_END


def recovery(fault: Fault, workers: frozenset[str], afoot: Afoot) -> Recovery | None:
    """Return what became of the jobs on the workers that a fault hit; ``None`` if it hit none."""
    hit = {name for target in fault.targets for name in target.split(ARROW)} & workers
    if not hit:
        return None
    rerun: list[float] = []
    inferred: list[float] = []
    held = went_on = never = unknown = 0
    for job, runs in afoot.at(fault.begun_us):
        running = _running(runs, fault.begun_us)
        if running is None:
            if runs and runs[0].attempt > 1 and runs[0].start_us <= fault.until_us:
                inferred.append((runs[0].start_us - fault.begun_us) / SECOND)
            continue
        if running.worker not in hit:
            continue
        held += 1
        later = [each.start_us for each in runs if each.attempt > running.attempt]
        if later:
            rerun.append((later[0] - fault.begun_us) / SECOND)
        elif job.finish_us is not None:
            went_on += 1
        elif job.state in OPEN_STATES:
            never += 1
        else:
            unknown += 1
    return Recovery(held, tuple(sorted(rerun)), went_on, never, unknown, tuple(sorted(inferred)))


def _running(runs: Sequence[Execution], moment: int) -> Execution | None:
    """Return the latest execution that had begun at a moment."""
    begun = [each for each in runs if each.start_us <= moment]
    return begun[-1] if begun else None

"""Which executions of which jobs are known: from every answer that shows a job, and the audit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from testbed.record.history.model import OPEN_END, History, Listed, Operation, Seen
from testbed.record.model import OPEN_STATES, JobRow
from testbed.runs.faults.figures.model import SECOND, MeasuredFault, Recovery
from testbed.runs.faults.figures.windows import ARROW


@dataclass(frozen=True, slots=True)
class ObservedExecution:
    """An execution that was seen: where it ran, and since when on the clock of the history."""

    attempt: int
    worker: str
    start_us: int


Known = Mapping[str, Sequence[ObservedExecution]]


def shown(call: Operation) -> Iterator[Seen]:
    """Give the jobs that an answer shows."""
    if isinstance(call.answer, Seen):
        yield call.answer
    elif isinstance(call.answer, Listed):
        yield from call.answer.jobs


def known(history: History, jobs: Iterable[JobRow]) -> Known:
    """Return the executions of each job that were seen, by their attempt."""
    found: dict[str, dict[int, ObservedExecution]] = defaultdict(dict)
    offset = history.clock_us - history.unix_us
    seen: Iterator[Seen | JobRow] = (each for call in history.operations for each in shown(call))
    for source in (seen, jobs):
        for each in source:
            if each.start_us is not None and each.attempt:
                found[each.job_id][each.attempt] = ObservedExecution(
                    each.attempt, each.worker, each.start_us + offset
                )
    return {
        job_id: [attempts[number] for number in sorted(attempts)]
        for job_id, attempts in found.items()
    }


def filled(history: History, jobs: Iterable[JobRow]) -> list[JobRow]:
    """Return the jobs; those that were missing in the end with the times that answers had shown."""
    rows = list(jobs)
    missing = {row.job_id for row in rows if row.create_us is None}
    last: dict[str, Seen] = {}
    for call in history.operations:
        for each in shown(call):
            if each.job_id in missing:
                before = last.get(each.job_id)
                if before is None or _later(each) >= _later(before):
                    last[each.job_id] = each
    return [
        replace(
            row,
            attempt=seen.attempt,
            create_us=seen.create_us,
            start_us=seen.start_us,
            finish_us=seen.finish_us,
            worker=seen.worker,
        )
        if (seen := last.get(row.job_id))
        else row
        for row in rows
    ]


def _later(job: Seen) -> tuple[bool, int, bool]:
    return job.finish_us is not None, job.attempt, job.start_us is not None


def in_excess(executions: Known) -> int:
    """Return how many executions beyond the first of a job were seen to start."""
    return sum(len(each) - 1 for each in executions.values())


class Afoot:
    """Finds the jobs that were open at some time of a fault."""

    def __init__(self, jobs: Sequence[JobRow], executions: Known, offset: int) -> None:
        self._jobs = [(job, executions.get(job.job_id, ())) for job in jobs]
        self._created = np.array([_created(*each, offset) for each in self._jobs], dtype=np.int64)
        self._finished = np.array(
            [OPEN_END if job.finish_us is None else job.finish_us + offset for job in jobs],
            dtype=np.int64,
        )

    def during(
        self, fault: MeasuredFault
    ) -> Iterator[tuple[JobRow, Sequence[ObservedExecution], bool]]:
        """Give each of them with its executions, and whether it was there when the fault began."""
        open_then = (self._created < fault.ended_us) & (self._finished > fault.begun_us)
        for index in np.flatnonzero(open_then):
            yield *self._jobs[index], bool(self._created[index] <= fault.begun_us)


def _created(job: JobRow, runs: Sequence[ObservedExecution], offset: int) -> int:
    if job.create_us is not None:
        return job.create_us + offset
    return runs[0].start_us if runs else OPEN_END


def recovery(fault: MeasuredFault, workers: frozenset[str], afoot: Afoot) -> Recovery | None:
    """Return what became of the jobs on the workers that a fault hit; ``None`` if it hit none."""
    hit = {name for target in fault.targets for name in target.split(ARROW)} & workers
    if not hit:
        return None
    rerun: list[float] = []
    inferred: list[float] = []
    held = went_on = never = unknown = 0
    for job, runs, was_there in afoot.during(fault):
        running = _running(runs, fault) if was_there else _cut_off(runs, fault)
        if running is None:
            seen_late = runs and runs[0].attempt > 1 and runs[0].start_us <= fault.until_us
            if was_there and seen_late:
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


def _running(runs: Sequence[ObservedExecution], fault: MeasuredFault) -> ObservedExecution | None:
    """Return the latest execution that had begun at the begin of a fault, or was cut off later."""
    begun = [each for each in runs if each.start_us <= fault.begun_us]
    return begun[-1] if begun else _cut_off(runs, fault)


def _cut_off(runs: Sequence[ObservedExecution], fault: MeasuredFault) -> ObservedExecution | None:
    """Return the first execution that began within a fault and was followed by another.

    A process takes some time to die after the history has recorded it, and starts jobs meanwhile.
    """
    for each, _ in pairwise(runs):
        if fault.begun_us < each.start_us < fault.ended_us:
            return each
    return None

"""What faults did to a stack: jobs, service, recovery, backlog, errors and lost state.

Pure functions on a trial as values; what each figure means is in ``docs/under-faults.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from testbed.record.model import JobRow
from testbed.runs.faults.figures import backlog, executions, losses, service
from testbed.runs.faults.figures.errors import errors
from testbed.runs.faults.figures.executions import Afoot, Known
from testbed.runs.faults.figures.model import FaultFigures, FaultTrial, JobCounts, Parts
from testbed.runs.faults.figures.rates import rates
from testbed.runs.faults.figures.servers import stories
from testbed.runs.faults.figures.timeline import timeline
from testbed.runs.faults.figures.windows import bare_faults, drive, driven

__all__ = ["FaultFigures", "FaultTrial", "Parts", "analyse"]


def analyse(trial: FaultTrial) -> FaultFigures:
    """Work out all figures of a trial."""
    history = trial.history
    calls = list(driven(history))
    over = drive(history)
    offset = history.clock_us - history.unix_us
    bare = bare_faults(history, over)
    served = service.served(calls, bare, over)
    jobs = executions.filled(history, trial.jobs)
    known = executions.known(history, jobs)
    timed = [job for job in jobs if backlog.usable(job, offset, over)]
    untimed = len(jobs) - len(timed)
    reported = (
        backlog.sampled(trial.metrics, offset)
        if untimed > backlog.UNTIMED_LIMIT * len(jobs)
        else None
    )
    level = reported or backlog.level(timed, offset)
    lost = losses.losses(trial)
    around = backlog.around(bare, level) if level else [None] * len(bare)
    ended = [None] * len(bare) if reported else rates(bare, timed, offset, over.begun)
    afoot = Afoot(jobs, known, offset)
    faults = [
        replace(
            fault,
            downtime=served.downtime[index],
            availability=served.availability[index],
            recovery=executions.recovery(fault, trial.parts.workers, afoot),
            backlog=around[index],
            loss=lost.by_fault.get(fault.id),
            rates=ended[index],
        )
        for index, fault in enumerate(bare)
    ]
    return FaultFigures(
        side=trial.side,
        title=trial.title,
        begun_us=over.begun,
        ended_us=over.ended,
        jobs=_jobs(trial, jobs, known),
        faults=tuple(faults),
        service=served.methods,
        errors=errors(calls, bare),
        timeline=timeline(calls, level, over),
        verdict=trial.verdict,
        unended=served.unended,
        untimed=untimed,
        unexplained=lost.unexplained,
        sampled=reported is not None,
        servers=stories(bare, trial.servers, offset, over.begun),
    )


def _jobs(trial: FaultTrial, jobs: Sequence[JobRow], known: Known) -> JobCounts:
    counts = trial.verdict.counts
    attempts = [job.attempt for job in jobs if job.attempt > 1]
    return JobCounts(
        accepted=counts.get("accepted"),
        lost=counts.get("lost"),
        lost_with_state=counts.get("lost_with_state"),
        expired=counts.get("expired"),
        recovered=counts.get("recovered"),
        unexpected=counts.get("unexpected"),
        duplicated=counts.get("duplicated"),
        run_again=len(attempts),
        excess_seen=executions.in_excess(known),
        excess_at_most=sum(attempts) - len(attempts),
    )

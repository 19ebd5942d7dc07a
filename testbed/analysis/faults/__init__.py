"""What faults did to a stack: jobs, service, recovery, backlog, errors and lost state.

Pure functions on a trial as values; what each figure means is in ``docs/under-faults.md``.
"""

from __future__ import annotations

from dataclasses import replace

from testbed.analysis.faults import backlog, executions, losses, service
from testbed.analysis.faults.errors import errors
from testbed.analysis.faults.executions import Afoot, Known
from testbed.analysis.faults.model import FaultFigures, FaultTrial, JobCounts, Parts
from testbed.analysis.faults.timeline import timeline
from testbed.analysis.faults.windows import bare_faults, drive, driven

__all__ = ["FaultFigures", "FaultTrial", "Parts", "analyse"]


def analyse(trial: FaultTrial) -> FaultFigures:
    """Work out all figures of a trial."""
    history = trial.history
    calls = list(driven(history))
    over = drive(history)
    offset = history.clock_us - history.unix_us
    bare = bare_faults(history, over)
    served = service.served(calls, bare, over)
    known = executions.known(history, trial.jobs)
    timed = [job for job in trial.jobs if backlog.usable(job, offset, over)]
    level = backlog.level(timed, offset)
    lost = losses.losses(trial)
    around = backlog.around(bare, level) if level else [None] * len(bare)
    afoot = Afoot(trial.jobs, known, offset)
    faults = [
        replace(
            fault,
            downtime=served.downtime[index],
            availability=served.availability[index],
            recovery=executions.recovery(fault, trial.parts.workers, afoot),
            backlog=around[index],
            loss=lost.by_fault.get(fault.id),
        )
        for index, fault in enumerate(bare)
    ]
    return FaultFigures(
        design=trial.design,
        title=trial.title,
        begun_us=over.begun,
        ended_us=over.ended,
        jobs=_jobs(trial, known),
        faults=tuple(faults),
        service=served.methods,
        errors=errors(calls, bare),
        timeline=timeline(calls, level, over),
        violations=tuple(trial.verdict.violations),
        unended=served.unended,
        odd_times=sum(job.create_us is not None for job in trial.jobs) - len(timed),
        unexplained=lost.unexplained,
    )


def _jobs(trial: FaultTrial, known: Known) -> JobCounts:
    counts = trial.verdict.counts
    attempts = [job.attempt for job in trial.jobs if job.attempt > 1]
    return JobCounts(
        accepted=counts.get("accepted"),
        lost=counts.get("lost"),
        lost_with_state=counts.get("lost_with_state"),
        recovered=counts.get("recovered"),
        unexpected=counts.get("unexpected"),
        duplicated=counts.get("duplicated"),
        run_again=len(attempts),
        excess_seen=executions.in_excess(known),
        excess_at_most=sum(attempts) - len(attempts),
    )

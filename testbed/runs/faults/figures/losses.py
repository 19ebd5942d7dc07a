"""Which accepted jobs, and which results, went with the memory of which process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from testbed.record.history.model import OPEN_END, CallOutcome, FaultEvent, Operation, Result
from testbed.runs.faults.figures.executions import shown
from testbed.runs.faults.figures.model import FaultTrial, StateLoss

NOT_FOUND, DATA_LOSS = "NOT_FOUND", "DATA_LOSS"


@dataclass(frozen=True, slots=True)
class Accepted:
    """When a submit was made and when it was answered, and by which endpoint."""

    invoked: int
    at: int
    endpoint: str


def accepted(operations: Iterable[Operation]) -> dict[str, Accepted]:
    """Return when each job was first acknowledged to a client."""
    found: dict[str, Accepted] = {}
    for call in operations:
        if call.call == "SubmitJob" and isinstance(call.answer, str):
            known = found.get(call.answer)
            if known is None or call.completed < known.at:
                found[call.answer] = Accepted(call.invoked, call.completed, call.endpoint)
    return found


@dataclass(frozen=True)
class Losses:
    """What each fault that lost state took, by its id; ``unexplained`` jobs no fault can have."""

    by_fault: Mapping[int, StateLoss]
    unexplained: int


def losses(trial: FaultTrial) -> Losses:
    """Give every lost job, and every lost result, to the fault that took it.

    That is one that was not over at the last answer that still showed it, and began before the
    first that missed it. Of several it is one that took the process through which the job was
    accepted, else the first.
    """
    faults = sorted((each for each in trial.history.faults if each.lost_state), key=_begun)
    accepted_jobs = accepted(trial.history.operations)
    lost = {job.job_id for job in trial.jobs if job.lost and job.job_id in accepted_jobs}
    jobs = _given(
        _spans(trial.history.operations, lost, accepted_jobs), faults, accepted_jobs, trial
    )
    unread = _without_result(trial.history.operations, accepted_jobs) - lost
    results = _given(
        _result_spans(trial.history.operations, unread, accepted_jobs), faults, accepted_jobs, trial
    )
    return Losses(
        {
            fault.id: StateLoss(
                fault.lost_state,
                sum(each.at <= fault.begun for each in accepted_jobs.values()),
                jobs.total[fault.id],
                jobs.sure[fault.id],
                results.total[fault.id],
            )
            for fault in faults
        },
        jobs.unexplained,
    )


def _begun(fault: FaultEvent) -> int:
    return fault.begun


@dataclass
class _Given:
    total: Counter[int]
    sure: Counter[int]
    unexplained: int = 0


def _given(
    spans: Mapping[str, tuple[int, int]],
    faults: Sequence[FaultEvent],
    accepted_jobs: Mapping[str, Accepted],
    trial: FaultTrial,
) -> _Given:
    given = _Given(Counter(), Counter())
    for job_id, (alive, missed) in spans.items():
        able = [each for each in faults if alive <= each.ended and each.begun <= missed]
        if not able:
            given.unexplained += 1
            continue
        entry = trial.parts.entries.get(accepted_jobs[job_id].endpoint, "")
        likely = next((each for each in able if entry in each.lost_state), able[0])
        given.total[likely.id] += 1
        given.sure[likely.id] += len(able) == 1
    return given


def _spans(
    operations: Iterable[Operation], wanted: set[str], accepted_jobs: Mapping[str, Accepted]
) -> dict[str, tuple[int, int]]:
    """Return between which moments each job went: last shown, first missed."""
    alive = {job_id: accepted_jobs[job_id].invoked for job_id in wanted}
    missed = dict.fromkeys(wanted, OPEN_END)
    for call in operations:
        if isinstance(call.asked, str) and call.asked in wanted:
            if isinstance(call.answer, Result):
                alive[call.asked] = max(alive[call.asked], call.invoked)
            elif call.outcome is CallOutcome.FAIL and call.code == NOT_FOUND:
                missed[call.asked] = min(missed[call.asked], call.completed)
        for each in shown(call):
            if each.job_id in wanted:
                alive[each.job_id] = max(alive[each.job_id], call.invoked)
    return {job_id: (alive[job_id], missed[job_id]) for job_id in wanted}


def _without_result(
    operations: Iterable[Operation], accepted_jobs: Mapping[str, Accepted]
) -> set[str]:
    """Return the jobs of which the service reported that their result is lost."""
    return {
        call.asked
        for call in operations
        if isinstance(call.asked, str) and call.code == DATA_LOSS and call.asked in accepted_jobs
    }


def _result_spans(
    operations: Iterable[Operation], wanted: set[str], accepted_jobs: Mapping[str, Accepted]
) -> dict[str, tuple[int, int]]:
    """Return between which moments each result went: last read, first missed."""
    read = {job_id: accepted_jobs[job_id].invoked for job_id in wanted}
    missed = dict.fromkeys(wanted, OPEN_END)
    for call in operations:
        if isinstance(call.asked, str) and call.asked in wanted:
            if isinstance(call.answer, Result):
                read[call.asked] = max(read[call.asked], call.invoked)
            elif call.code == DATA_LOSS:
                missed[call.asked] = min(missed[call.asked], call.completed)
    return {job_id: (read[job_id], missed[job_id]) for job_id in wanted}

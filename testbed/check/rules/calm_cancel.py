"""Where nothing was disturbed a running job ends soon after its cancel."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.index import Index, JobHistory
from testbed.check.observations import Observation
from testbed.check.verdict import Finding, Rule
from testbed.record.history import lines
from testbed.record.history.model import Operation, Seen, Submitted

WITHIN_US = 10_000_000
"""Microseconds in which a running job has to end: twenty heartbeats as they are set by default."""


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        cancel = min(
            (each.op for each in job.observations if _taken_while_running(each)),
            key=lambda op: op.completed,
            default=None,
        )
        if cancel is None:
            continue
        latest = cancel.completed + WITHIN_US
        born = _earliest_birth(index, job)
        for observation in job.observations:
            if text := _too_late(observation, latest, born):
                yield Finding(job.id, text, (cancel, observation.op))
                break


def _taken_while_running(observation: Observation) -> bool:
    seen = observation.what
    return (
        observation.op.call == lines.CANCEL
        and isinstance(seen, Seen)
        and seen.state == "RUNNING"
        and seen.cancel_requested
    )


def _too_late(observation: Observation, latest: int, born: int | None) -> str:
    """Say whether an observation shows that the job ran on; nothing if it ended in time."""
    if observation.unfinished:
        late = observation.op.invoked > latest
        return "was canceled while it ran, and runs on after 10 s" if late else ""
    seen = observation.what
    if born is None or not isinstance(seen, Seen) or seen.finish_us is None:
        return ""
    # Its times are those of another clock, which shows how long it was there: that is enough.
    late = seen.create_us is not None and born + seen.finish_us - seen.create_us > latest
    return "was canceled while it ran, and ended more than 10 s later" if late else ""


def _earliest_birth(index: Index, job: JobHistory) -> int | None:
    """Return when the job can have been made at the earliest, ``None`` if no call shows it."""
    makers: list[Operation] = []
    for submit in job.submits:
        assert isinstance(submit.asked, Submitted)
        makers += index.by_request.get(submit.asked.request_id, [submit])
    return min((submit.invoked for submit in makers), default=None)


RULE = Rule(
    "calm-cancel", "Without faults a running job ends within 10 s of its cancel", _find, calm=True
)

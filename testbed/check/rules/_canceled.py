"""Cancels that were acknowledged while the job was queued."""

from __future__ import annotations

from testbed.check.index import JobHistory
from testbed.check.observations import Observation
from testbed.record.history import lines
from testbed.record.history.model import Seen


def acknowledged(job: JobHistory) -> Observation | None:
    """Return the first answer to a cancel that says that the job will never start."""
    if not job.cancels:
        return None
    return min(
        (each for each in job.observations if _kept_from_starting(each)),
        key=lambda each: each.op.completed,
        default=None,
    )


def contradicts(canceled: Observation, observation: Observation) -> bool:
    """Say whether an observation that is not from before the cancel shows that the job started."""
    return observation.started and not observation.before(canceled)


def _kept_from_starting(observation: Observation) -> bool:
    what = observation.what
    return (
        observation.op.call == lines.CANCEL
        and isinstance(what, Seen)
        and what.state == "CANCELED"
        and what.attempt == 0
    )

"""Cancels that were acknowledged while the job was queued."""

from __future__ import annotations

from testbed.check.index import Job
from testbed.check.looks import Look
from testbed.record.history import lines
from testbed.record.history.model import Seen


def acknowledged(job: Job) -> Look | None:
    """Return the first answer to a cancel that says that the job will never start."""
    if not job.cancels:
        return None
    return min(
        (look for look in job.looks if _kept_from_starting(look)),
        key=lambda look: look.op.completed,
        default=None,
    )


def contradicts(canceled: Look, look: Look) -> bool:
    """Say whether a look that is not from before the cancel shows that the job started."""
    return look.started and not look.before(canceled)


def _kept_from_starting(look: Look) -> bool:
    what = look.what
    return (
        look.op.call == lines.CANCEL
        and isinstance(what, Seen)
        and what.state == "CANCELED"
        and what.attempt == 0
    )

"""What is wrong with one record of a job by itself."""

from __future__ import annotations

import hashlib

from testbed.check.observations import RANK, TERMINAL, Observation
from testbed.record.history.model import Result, Seen


def wrong_by_itself(job_id: str, observation: Observation) -> str:
    """Say what no record of the job can show, whatever came before; nothing if it is in order."""
    what = observation.what
    if isinstance(what, Seen):
        return _wrong(job_id, what)
    return _wrong_result(what) if isinstance(what, Result) else ""


def _wrong_result(result: Result) -> str:
    if result.state not in TERMINAL:
        return f"has a result while it is {result.state}"
    if result.state != "DONE" and result.digest not in _NO_OUTPUT:
        return f"is {result.state}, and has an output"
    if (result.state == "FAILED") != bool(result.failure):
        return f"is {result.state}, and has a result with failure {result.failure!r}"
    return ""


def _wrong(job_id: str, seen: Seen) -> str:
    if seen.job_id != job_id:
        return f"was asked for, and {seen.job_id} was the answer"
    shape = (
        seen.state,
        seen.attempt > 0,
        seen.start_us is not None,
        seen.finish_us is not None,
        seen.failure != "",
    )
    if shape not in _RIGHT:
        return _wrong_shape(seen)
    if bool(seen.worker) != (seen.attempt > 0):
        return f"is {seen.state} with attempt {seen.attempt} and worker {seen.worker!r}"
    if seen.state == "CANCELED" and not seen.cancel_requested:
        return "is CANCELED without a cancel requested"
    known = [time for time in (seen.create_us, seen.start_us, seen.finish_us) if time is not None]
    if known != sorted(known):
        return f"has times out of order: {', '.join(map(str, known))}"
    return ""


# The digest of no bytes, and no digest.
_NO_OUTPUT = frozenset({hashlib.sha256(b"").hexdigest()[:16], ""})
# State, and whether there are an attempt, a start, a finish and a failure.
_RIGHT = frozenset(
    {
        ("QUEUED", False, False, False, False),
        ("RUNNING", True, True, False, False),
        ("DONE", True, True, True, False),
        ("FAILED", True, True, True, True),
        ("CANCELED", False, False, True, False),
        ("CANCELED", True, True, True, False),
    }
)


def _wrong_shape(seen: Seen) -> str:
    """Say which of its fields do not go together."""
    if seen.state not in RANK:
        return f"is in the state {seen.state!r}, which there is not"
    executed = seen.attempt > 0
    if seen.state == "QUEUED" and executed:
        return f"is QUEUED with attempt {seen.attempt}"
    if seen.state in {"RUNNING", "DONE", "FAILED"} and not executed:
        return f"is {seen.state} without an attempt"
    if executed != (seen.start_us is not None):
        return f"has attempt {seen.attempt} and start time {seen.start_us}"
    if (seen.state == "FAILED") != bool(seen.failure):
        return f"is {seen.state} with failure {seen.failure!r}"
    return f"is {seen.state} with finish time {seen.finish_us}"

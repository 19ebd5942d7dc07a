"""Equal request ids make one job, and every other submit a job of its own."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.index import Index
from testbed.check.verdict import Finding, Rule
from testbed.record.history.model import OPEN_END, CallOutcome, Operation, Submitted


def _find(index: Index) -> Iterator[Finding]:
    for request_id, submits in index.by_request.items():
        yield from _of_request(index, request_id, submits)
    for job in index.jobs.values():
        if len(job.submits) > 1:
            first, *others = job.submits
            for other in others:
                if not _same_request(first, other):
                    text = "was the answer to two submits that have no request id in common"
                    yield Finding(job.id, text, (first, other))
                    break


def _of_request(index: Index, request_id: str, submits: list[Operation]) -> Iterator[Finding]:
    """Compare the accepted submits of a request id; report each job too many once.

    Once a job may be forgotten, so may its request id, and the next submit makes another.
    """
    firsts: dict[str, Operation] = {}
    for submit in submits:
        # Where memory was lost with the first job, its request id was too.
        if submit.outcome is not CallOutcome.OK or _exempt(index, submit):
            continue
        job = str(submit.answer)
        first = firsts.get(job)
        others = [each for each in firsts.values() if each is not first]
        if first is not None:
            if _digest(submit) != _digest(first):
                yield Finding(request_id, "was accepted for two different jobs", (first, submit))
                return
            if (after := _after(index, first, submit, others)) is not None:
                text = "made another job, and then the one before was the answer again"
                yield Finding(request_id, text, (first, after, submit))
                return
            continue
        firsts[job] = submit
        other = next((each for each in others if not _in_turn(index, each, submit)), None)
        if other is not None and _digest(submit) != _digest(other):
            yield Finding(request_id, "was accepted for two different jobs", (other, submit))
            return
        if other is not None:
            yield Finding(request_id, "made more than one job", (other, submit))


def _in_turn(index: Index, one: Operation, other: Operation) -> bool:
    """Say whether the job of one submit may have been forgotten when the other made another."""
    return any(
        index.jobs[str(before.answer)].expires <= after.completed
        for before, after in ((one, other), (other, one))
    )


def _after(
    index: Index, first: Operation, again: Operation, others: list[Operation]
) -> Operation | None:
    """Return a submit that made another job after that of ``first``, before ``again`` was asked."""
    for other in others:
        forgotten = index.jobs[str(first.answer)].expires <= other.completed
        not_before = index.jobs[str(other.answer)].expires > first.completed
        if forgotten and not_before and other.completed < again.invoked:
            return other
    return None


def _exempt(index: Index, submit: Operation) -> bool:
    return isinstance(submit.answer, str) and index.jobs[submit.answer].cut < OPEN_END


def _digest(submit: Operation) -> str:
    return submit.asked.digest if isinstance(submit.asked, Submitted) else ""


def _same_request(first: Operation, other: Operation) -> bool:
    assert isinstance(first.asked, Submitted)
    assert isinstance(other.asked, Submitted)
    return bool(first.asked.request_id) and first.asked.request_id == other.asked.request_id


RULE = Rule("duplicated", "Equal request ids make one job; other submits never share one", _find)

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
    """Compare the accepted submits of a request id with the first; report each extra job once."""
    first: Operation | None = None
    reported = set()
    for submit in submits:
        # Where memory was lost with the first job, its request id was too.
        if submit.outcome is not CallOutcome.OK or _exempt(index, submit):
            continue
        if first is None:
            first = submit
            reported.add(first.answer)
        elif _digest(submit) != _digest(first):
            yield Finding(request_id, "was accepted for two different jobs", (first, submit))
            return
        elif submit.answer not in reported:
            reported.add(submit.answer)
            yield Finding(request_id, "made more than one job", (first, submit))


def _exempt(index: Index, submit: Operation) -> bool:
    return isinstance(submit.answer, str) and index.jobs[submit.answer].cut < OPEN_END


def _digest(submit: Operation) -> str:
    return submit.asked.digest if isinstance(submit.asked, Submitted) else ""


def _same_request(first: Operation, other: Operation) -> bool:
    assert isinstance(first.asked, Submitted)
    assert isinstance(other.asked, Submitted)
    return bool(first.asked.request_id) and first.asked.request_id == other.asked.request_id


RULE = Rule("duplicated", "Equal request ids make one job; other submits never share one", _find)

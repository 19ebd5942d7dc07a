"""A request id is refused as reused only if it was used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testbed.check.index import Index
from testbed.check.verdict import Finding, Rule
from testbed.record.history.model import CallOutcome, Operation, Submitted

_REUSED = "REQUEST_ID_REUSED"


def _find(index: Index) -> Iterator[Finding]:
    for submit in index.submits:
        asked = submit.asked
        if submit.reason != _REUSED or not isinstance(asked, Submitted):
            continue
        if not _used(submit, asked, index.by_request.get(asked.request_id, ())):
            text = "was refused as reused, and nobody had used it for another job"
            yield Finding(asked.request_id or "(no request id)", text, (submit,))


def _used(refused: Operation, asked: Submitted, same: Sequence[Operation]) -> bool:
    """Say whether a submit of another job may have held the request id at that time."""
    for other in same:
        if other.invoked > refused.completed:
            return False
        if other.reason == _REUSED or not isinstance(other.asked, Submitted):
            continue
        # One that is refused may hold it until it is undone, which is before its answer.
        held = other.outcome is not CallOutcome.FAIL or other.completed >= refused.invoked
        if held and other.asked.digest != asked.digest:
            return True
    return False


RULE = Rule("request-ids", "REQUEST_ID_REUSED is the answer only if another job used the id", _find)

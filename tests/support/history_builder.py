"""A history built call by call, for checkers. Times and spans are microseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from testbed.check import Verdict, check
from testbed.record.history import lines
from testbed.record.history.lines import Asked
from testbed.record.history.model import (
    IDS_BY_HOME,
    OPEN_END,
    CallOutcome,
    FaultEvent,
    History,
    Listed,
    LostJobs,
    Operation,
    Page,
    Result,
    Seen,
    Submitted,
)

Span = tuple[int, int]


def queued(job: str = "j1", **more: Any) -> Seen:
    return replace(Seen(job, "noop", "QUEUED", 0, create_us=100), **more)


def running(job: str = "j1", attempt: int = 1, **more: Any) -> Seen:
    seen = Seen(job, "noop", "RUNNING", attempt, f"w{attempt}", 100, 200 + attempt)
    return replace(seen, **more)


def done(job: str = "j1", attempt: int = 1, **more: Any) -> Seen:
    return replace(running(job, attempt), **{"state": "DONE", "finish_us": 300, **more})


def failed(job: str = "j1", attempt: int = 1, **more: Any) -> Seen:
    return done(job, attempt, **{"state": "FAILED", "failure": "WHY", **more})


def canceled(job: str = "j1", **more: Any) -> Seen:
    """Canceled while it was queued."""
    seen = queued(job, state="CANCELED", cancel_requested=True, finish_us=300)
    return replace(seen, **more)


@dataclass
class HistoryBuilder:
    """Collects calls; each method returns the operation."""

    operations: list[Operation] = field(default_factory=list)
    faults: list[FaultEvent] = field(default_factory=list)
    design: str = "b"
    ids: str = IDS_BY_HOME
    retention_us: int = 0

    def call(self, call: str, asked: Asked, span: Span, **more: Any) -> Operation:
        """Add any call."""
        fields: dict[str, Any] = {"client": "u", **more}
        operation = Operation(
            id=len(self.operations) + 1,
            endpoint="h:1",
            call=call,
            asked=asked,
            invoked=span[0],
            completed=span[1],
            **fields,
        )
        self.operations.append(operation)
        return operation

    def answered(self, call: str, asked: Asked, span: Span, answer: Any, **more: Any) -> Operation:
        """Add a call that was answered."""
        return self.call(call, asked, span, outcome=CallOutcome.OK, answer=answer, **more)

    def refused(
        self, call: str, asked: Asked, span: Span, code: str, reason: str = "", **more: Any
    ):
        """Add a call that certainly had no effect."""
        return self.call(
            call, asked, span, outcome=CallOutcome.FAIL, code=code, reason=reason, **more
        )

    def submit(
        self, job: str, span: Span, request_id: str = "", digest: str = "d", kind: str = "noop"
    ) -> Operation:
        """Add an accepted submit."""
        return self.answered(lines.SUBMIT, Submitted(kind, digest, request_id), span, job)

    def maybe_submit(
        self, begun: int, ended: int = OPEN_END, request_id: str = "", kind: str = "noop"
    ) -> Operation:
        """Add an indefinite submit."""
        return self.call(lines.SUBMIT, Submitted(kind, "d", request_id), (begun, ended))

    def refused_submit(
        self, span: Span, reason: str = "QUEUE_FULL", request_id: str = "", digest: str = "d"
    ) -> Operation:
        """Add a submit that was refused."""
        asked = Submitted("noop", digest, request_id)
        return self.refused(lines.SUBMIT, asked, span, "RESOURCE_EXHAUSTED", reason)

    def status(self, seen: Seen, span: Span, **more: Any) -> Operation:
        """Add an answered status."""
        return self.answered(lines.STATUS, seen.job_id, span, seen, **more)

    def not_found(self, span: Span, job: str = "j1", call: str = lines.STATUS) -> Operation:
        """Record that a job is unknown."""
        return self.refused(call, job, span, "NOT_FOUND", "JOB_NOT_FOUND")

    def result(
        self,
        span: Span,
        job: str = "j1",
        state: str = "DONE",
        digest: str = "o",
        failure: str = "",
        **more: Any,
    ) -> Operation:
        """Add an answered result."""
        return self.answered(lines.RESULT, job, span, Result(state, digest, failure), **more)

    def not_finished(self, span: Span, job: str = "j1") -> Operation:
        """Record that a job has no result yet."""
        return self.refused(lines.RESULT, job, span, "FAILED_PRECONDITION", "JOB_NOT_FINISHED")

    def cancel(self, seen: Seen, span: Span) -> Operation:
        """Add an answered cancel."""
        return self.answered(lines.CANCEL, seen.job_id, span, seen)

    def maybe_cancel(self, begun: int, job: str = "j1") -> Operation:
        """Add an indefinite cancel."""
        return self.call(lines.CANCEL, job, (begun, OPEN_END))

    def page(
        self,
        jobs: list[Seen],
        span: Span,
        number: int = 0,
        more: bool = False,
        scan: str = "s",
        client: str = "u",
        **filters: Any,
    ) -> Operation:
        """Add a page of a listing."""
        page = Page(scan, number, **filters)
        return self.answered(lines.LIST, page, span, Listed(tuple(jobs), more), client=client)

    def fault(self, span: Span, lost: LostJobs = (), kind: str = "kill") -> FaultEvent:
        """Add a fault, and which jobs were lost with it."""
        event = FaultEvent(1000 + len(self.faults), kind, ("x",), *span, lost_jobs=lost)
        self.faults.append(event)
        return event

    def verdict(self) -> Verdict:
        """Judge the history."""
        return check(self.history())

    def history(self) -> History:
        """Return the history."""
        return History(
            tuple(self.operations),
            tuple(self.faults),
            self.design,
            ids=self.ids,
            retention_us=self.retention_us,
        )

    def accused(self) -> list[tuple[str, str, tuple[Any, ...]]]:
        """Return rule, subject and slice of each violation."""
        return [(each.rule, each.subject, each.slice) for each in self.verdict().violations]

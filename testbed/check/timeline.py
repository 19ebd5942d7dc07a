"""A slice as text: when, who, what was asked, what was answered."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.verdict import Violation
from testbed.record.history.model import (
    OPEN_END,
    CallOutcome,
    FaultEvent,
    Listed,
    Operation,
    Page,
    Result,
    Seen,
    Submitted,
)

Row = tuple[str, str, str, str]
"""When it began and ended, who, what was asked, what was answered."""

_NAMED_JOBS = 3


def timeline(violation: Violation, start: int) -> Iterator[Row]:
    """Iterate over the rows of a violation's slice; times are seconds since ``start``."""
    for event in violation.slice:
        if isinstance(event, FaultEvent):
            lost = f"state lost: {', '.join(event.lost_state)}" if event.lost_state else ""
            what = f"{event.kind} {', '.join(event.targets)}"
            yield _span(event.begun, event.ended, start), "fault", what, lost
        else:
            asked = f"{event.call} {_asked(event)}"
            who = f"{event.client} → {event.endpoint}"
            yield _span(event.invoked, event.completed, start), who, asked, answered(event)


def answered(operation: Operation) -> str:
    """Return in words how a call ended."""
    if operation.outcome is CallOutcome.OK:
        return _answer(operation)
    why = f"{operation.code} {operation.reason}".strip()
    if operation.outcome is CallOutcome.FAIL:
        return f"refused: {why}"
    return f"no answer: {why}" if why else "no answer"


def _span(begun: int, ended: int, start: int) -> str:
    end = f"{(ended - start) / 1e6:.6f}" if ended < OPEN_END else "…"
    return f"{(begun - start) / 1e6:.6f} – {end}"


def _asked(operation: Operation) -> str:
    asked = operation.asked
    if isinstance(asked, Submitted):
        request_id = f" request_id={asked.request_id}" if asked.request_id else ""
        return f"{asked.kind} {asked.digest}{request_id}"
    if isinstance(asked, Page):
        filters = f" {asked.state} {asked.kind}".rstrip()
        place = f"{asked.scan} page {asked.number}" if asked.scan else "a page"
        return f"{place}{filters}, size {asked.page_size}"
    return asked


def _answer(operation: Operation) -> str:
    answer = operation.answer
    if isinstance(answer, Seen):
        return _seen(answer)
    if isinstance(answer, Result):
        failure = f" ({answer.failure})" if answer.failure else ""
        return f"{answer.state} output {answer.digest}{failure}"
    if isinstance(answer, Listed):
        ids = [seen.job_id for seen in answer.jobs]
        shown = ids if len(ids) <= _NAMED_JOBS else [ids[0], "…", ids[-1]]
        more = ", more to come" if answer.more else ", the end"
        return f"{len(ids)} jobs: {' '.join(shown)}{more}"
    return f"job {answer}"


def _seen(seen: Seen) -> str:
    parts = [f"{seen.state} attempt {seen.attempt}"]
    if seen.worker:
        parts.append(f"on {seen.worker}")
    times = (("created", seen.create_us), ("started", seen.start_us), ("finished", seen.finish_us))
    parts += [f"{name} {time / 1e6:.6f}" for name, time in times if time is not None]
    if seen.failure:
        parts.append(f"({seen.failure})")
    if seen.cancel_requested:
        parts.append("cancel requested")
    return " ".join(parts)

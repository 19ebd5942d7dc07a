"""What the checker says of a fault run, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testbed.check import Violation
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
from testbed.report.numbers import NOTHING, listed, plural
from testbed.runs.faults.figures.groups import everything
from testbed.runs.faults.figures.model import ALL, SECOND, FaultFigures, JobCounts
from testbed.runs.faults.report import written

SLICE_SHOWN = 30
JOBS_SHOWN = 4


def sentence(label: str, figures: FaultFigures) -> str:
    """Say in a sentence or two what became of a design's jobs and of its service."""
    faults = plural(len(figures.faults), "fault")
    down = everything(figures.faults).downtime(ALL)
    silent = (
        f"At worst no call at all was answered for {written.seconds(down.longest_s)} s."
        if down.longest_s
        else "At every moment some calls were answered."
    )
    return f"{label}, {faults}: {jobs(figures.jobs)}. {silent}"


def jobs(counts: JobCounts) -> str:
    """Say how many accepted jobs there were and what became of them."""
    if counts.lost is None or counts.accepted is None:
        return "the jobs were not checked"
    text = f"{counts.lost:,} of {plural(counts.accepted, 'accepted job')} lost"
    if counts.lost_with_state:
        text += (
            f", besides {counts.lost_with_state:,} that went with the memory of a killed process"
        )
    if counts.expired:
        text += f", {counts.expired:,} forgotten after their retention"
    wrong = [
        f"{value:,} {name}"
        for name, value in (("unexpected", counts.unexpected), ("made twice", counts.duplicated))
        if value
    ]
    return f"{text}; {listed(wrong)}" if wrong else text


def checked(label: str, figures: FaultFigures) -> str:
    """Say what the checker found."""
    rules = {rule: times for rule, times in figures.verdict.found.items() if times}
    if not rules:
        return f"{label}: the checker found no violation. {_upper(jobs(figures.jobs))}."
    named = listed([f"{rule} ({times:,})" for rule, times in sorted(rules.items())])
    return (
        f"{label}: the checker found {plural(sum(rules.values()), 'violation')}: {named}. "
        f"{_upper(jobs(figures.jobs))}."
    )


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def remarks(label: str, figures: FaultFigures) -> Iterator[str]:
    """Give what limits the figures of a trial."""
    if figures.unended:
        yield (
            f"{label}: of {plural(figures.unended, 'call')} no end was recorded, as when the load "
            "was stopped; they are in no share."
        )
    if figures.sampled:
        yield (
            f"{label}: the times of {plural(figures.untimed, 'job')} are lost, so the backlog is "
            "what the processes reported at each scrape."
        )
    elif figures.untimed:
        yield (
            f"{label}: times of {plural(figures.untimed, 'job')} are lost or impossible, so they "
            "are missing from the backlog."
        )
    if figures.unexplained:
        yield f"{label}: no loss of state explains {plural(figures.unexplained, 'lost job')}."


def evidence(violation: Violation, begun_us: int) -> list[tuple[str, ...]]:
    """Return the slice of a violation as rows: when, who, what was asked, what came of it."""
    shown = [_line(each, begun_us) for each in violation.slice[:SLICE_SHOWN]]
    more = len(violation.slice) - SLICE_SHOWN
    return [*shown, ("", "", f"{more:,} more", "")] if more > 0 else shown


def _line(each: Operation | FaultEvent, begun_us: int) -> tuple[str, ...]:
    if isinstance(each, FaultEvent):
        until = "not healed" if each.ended >= OPEN_END else f"healed at {_at(each.ended, begun_us)}"
        lost = f", losing the memory of {listed(list(each.lost_state))}" if each.lost_state else ""
        name = f"{each.kind} {listed(list(each.targets))}{lost}"
        return (_at(each.begun, begun_us), "fault", name, until)
    return (
        _at(each.invoked, begun_us),
        f"{each.client} at {each.endpoint}",
        f"{each.call} {asked(each.asked)}".strip(),
        came(each, begun_us),
    )


def _at(moment: int, begun_us: int) -> str:
    return f"{(moment - begun_us) / SECOND:.3f} s"


def asked(what: Submitted | Page | str) -> str:
    """Write what a call asked for."""
    if isinstance(what, Submitted):
        request = f" request id {what.request_id}" if what.request_id else ""
        return f"{what.kind} {what.digest}{request}"
    if isinstance(what, Page):
        filters = " ".join(each for each in (what.state, what.kind) if each)
        return f"page {what.number} of {what.scan or 'a listing'} {filters}".strip()
    return what


def came(call: Operation, begun_us: int) -> str:
    """Write how a call ended."""
    if call.completed >= OPEN_END:
        return "no end was recorded"
    end = _at(call.completed, begun_us)
    if call.outcome is not CallOutcome.OK:
        sort = "definite" if call.outcome is CallOutcome.FAIL else "indefinite"
        return f"{end}: {call.code} {call.reason}".strip() + f" ({sort})"
    return f"{end}: {_answer(call.answer)}"


def _answer(answer: str | Seen | Result | Listed | None) -> str:
    if isinstance(answer, Seen):
        return _seen(answer)
    if isinstance(answer, Result):
        return " ".join(each for each in (answer.state, answer.digest, answer.failure) if each)
    if isinstance(answer, Listed):
        return f"{plural(len(answer.jobs), 'job')}{_first(answer.jobs)}" + (
            ", and more" if answer.more else ""
        )
    return answer or NOTHING


def _first(found: Sequence[Seen]) -> str:
    if not found:
        return ""
    dots = " …" if len(found) > JOBS_SHOWN else ""
    return ": " + ", ".join(each.job_id for each in found[:JOBS_SHOWN]) + dots


def _seen(job: Seen) -> str:
    worker = f" on {job.worker}" if job.worker else ""
    return f"{job.state}, attempt {job.attempt}{worker}"

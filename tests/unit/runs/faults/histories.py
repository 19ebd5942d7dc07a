"""Writes small histories by hand. Times are seconds from the begin; the clocks differ by a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from testbed.check import Verdict, Violation
from testbed.record.history.model import (
    OPEN_END,
    CallOutcome,
    FaultEvent,
    History,
    Listed,
    Operation,
    Page,
    Result,
    Seen,
    Submitted,
)
from testbed.record.model import JobRow
from testbed.record.series import MetricSeries
from testbed.runs.faults.figures import FaultFigures, FaultTrial, Parts, analyse

CLOCK_US = 500_000_000
UNIX_US = CLOCK_US + 86_400_000_000


def clock(seconds: float) -> int:
    """Return a moment on the clock of the history."""
    return CLOCK_US + round(seconds * 1e6)


def unix(seconds: float) -> int:
    """Return a moment on the clock of the owners."""
    return UNIX_US + round(seconds * 1e6)


def seen(
    job_id: str, state: str, attempt: int = 1, worker: str = "worker", start: float | None = None
) -> Seen:
    """Return a job as an answer shows it."""
    since = None if start is None else unix(start)
    return Seen(job_id, "noop", state, attempt, worker, unix(0), since)


@dataclass
class Story:
    """A history in the making, with the jobs that the audit found."""

    design: str = "a"
    title: str = "six microservices"
    parts: Parts = field(default_factory=lambda: Parts(frozenset({"worker"}), {"h:1": "gateway"}))
    counts: Mapping[str, int] = field(default_factory=dict)
    violations: Sequence[Violation] = ()
    metrics: MetricSeries = field(default_factory=MetricSeries)
    calls: list[Operation] = field(default_factory=list)
    faults: list[FaultEvent] = field(default_factory=list)
    jobs: list[JobRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = count(1)

    def call(
        self,
        at: float,
        took: float | None = 0.001,
        call: str = "GetJobStatus",
        asked: Submitted | Page | str = "j",
        answer: str | Seen | Result | Listed | None = None,
        code: str = "",
        reason: str = "",
        definite: bool = False,
        client: str = "user-1",
        endpoint: str = "h:1",
    ) -> None:
        """Add a call: answered without a code, failed with one, without an end if it took None."""
        outcome = CallOutcome.FAIL if definite else CallOutcome.INDEFINITE
        if not code and took is not None:
            outcome, answer = CallOutcome.OK, answer or seen("j", "DONE")
        self.calls.append(
            Operation(
                next(self._ids),
                client,
                endpoint,
                call,
                asked,
                clock(at),
                OPEN_END if took is None else clock(at + took),
                outcome,
                answer,
                code,
                reason,
            )
        )

    def answered(self, times: Sequence[float], call: str = "GetJobStatus") -> None:
        """Add quick calls that are answered."""
        for at in times:
            self.call(at, call=call)

    def failed(self, times: Sequence[float], call: str = "GetJobStatus", **more: object) -> None:
        """Add quick calls that the stack is too broken to answer."""
        for at in times:
            self.call(at, call=call, **{"code": "UNAVAILABLE", **more})  # type: ignore[arg-type]

    def accepted(self, job_id: str, at: float, endpoint: str = "h:1") -> None:
        """Add a submit that was answered."""
        self.call(at, 0.001, "SubmitJob", Submitted("noop", "d"), job_id, endpoint=endpoint)

    def fault(
        self,
        begun: float,
        ended: float | None,
        kind: str = "kill",
        targets: Sequence[str] = ("worker",),
        lost: Sequence[str] = (),
    ) -> None:
        """Add a fault; without an end it was never healed."""
        end = OPEN_END if ended is None else clock(ended)
        event = FaultEvent(next(self._ids), kind, tuple(targets), clock(begun), end, tuple(lost))
        self.faults.append(event)

    def job(
        self,
        job_id: str,
        create: float | None = 0.0,
        start: float | None = None,
        finish: float | None = None,
        attempt: int = 1,
        worker: str = "worker",
        problem: str = "",
        state: str = "",
    ) -> None:
        """Add what the audit found of a job: DONE if it has finished, else RUNNING or QUEUED."""
        known = "DONE" if finish is not None else "RUNNING" if start is not None else "QUEUED"
        times = [None if each is None else unix(each) for each in (create, start, finish)]
        row = JobRow(job_id, True, state or known, attempt, *times, worker, "", problem)
        self.jobs.append(row)

    def trial(self) -> FaultTrial:
        """Return it all as a trial."""
        calls = tuple(sorted(self.calls, key=lambda each: each.invoked))
        history = History(calls, tuple(self.faults), self.design, UNIX_US, CLOCK_US)
        return FaultTrial(
            self.design,
            self.title,
            history,
            self.verdict,
            tuple(self.jobs),
            self.parts,
            self.metrics,
        )

    @property
    def verdict(self) -> Verdict:
        """What the checker is to have found."""
        found = Counter(each.rule for each in self.violations)
        return Verdict(tuple(self.violations), found, self.counts)

    def figures(self) -> FaultFigures:
        """Return the figures of it."""
        return analyse(self.trial())


def every(step: float, begin: float, end: float) -> list[float]:
    """Return moments from ``begin`` up to ``end``, the latter left out."""
    return [begin + number * step for number in range(round((end - begin) / step))]

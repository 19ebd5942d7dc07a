"""Plays a fault run of both designs, roughly as a real one goes, with a known verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testbed.check import Violation
from testbed.record.history.model import Listed, Page, Result, Submitted
from testbed.record.series import MetricSeries, ProcessSeries, Series
from testbed.runs.faults.figures import FaultTrial, Parts
from testbed.runs.faults.report.run import FaultRun
from tests.support.experiments import provenance
from tests.unit.runs.faults.histories import UNIX_US, Story, seen

METHODS = {
    "SubmitJob": 0.45,
    "GetJobStatus": 0.25,
    "GetJobResult": 0.2,
    "CancelJob": 0.05,
    "ListJobs": 0.05,
}
NODES = tuple(f"node-{number}" for number in range(6))
PARTS = {
    "a": Parts(frozenset({"worker"}), {"h:50051": "gateway"}),
    "b": Parts(frozenset(NODES), {f"h:{50061 + n}": name for n, name in enumerate(NODES)}),
}
TITLES = {"a": "six microservices", "b": "six monolith nodes"}


@dataclass(frozen=True)
class Planned:
    """A fault of the play, which lasts from ``at`` for ``seconds``."""

    at: float
    kind: str
    target: str
    loses: bool = False
    seconds: float = 5.0

    @property
    def end(self) -> float:
        return self.at + self.seconds


SCHEDULE = {
    "a": (
        Planned(5, "pause", "worker"),
        Planned(15, "restart", "gateway"),
        Planned(25, "cut", "gateway>job"),
        Planned(35, "kill", "worker"),
        Planned(45, "delay", "coordinator>queue"),
        Planned(55, "pause", "job"),
        Planned(65, "kill", "job", loses=True),
    ),
    "b": (
        Planned(5, "pause", "node-1"),
        Planned(15, "restart", "node-2", loses=True),
        Planned(25, "cut", "node-0>node-3"),
        Planned(35, "cut", "node-4>node-5"),
        Planned(45, "delay", "node-1>node-2"),
        Planned(55, "pause", "node-3"),
        Planned(65, "kill", "node-5", loses=True),
    ),
}


@dataclass
class Play:
    """A design under load and its faults."""

    design: str
    schedule: Sequence[Planned]
    rate: float = 80.0
    seconds: float = 80.0
    seed: int = 7
    violations: Sequence[Violation] = ()

    def trial(self) -> FaultTrial:
        """Play it."""
        self._random = np.random.default_rng(self.seed)
        self._story = Story(self.design, TITLES[self.design], PARTS[self.design])
        self._homes: list[tuple[str, str]] = []
        self._lives: list[tuple[str, float, float]] = []
        self._lost: dict[str, float] = {}
        for each in self.schedule:
            self._story.fault(
                each.at,
                each.end,
                each.kind,
                (each.target,),
                (each.target,) if each.loses else (),
            )
        count = self._random.poisson(self.rate * self.seconds)
        for at in np.sort(self._random.uniform(0, self.seconds, count)).tolist():
            self._call(at)
        lost = sum(each.problem != "" for each in self._story.jobs)
        self._story.violations = self.violations
        self._story.counts = {
            "accepted": len(self._story.jobs),
            "lost": 0,
            "lost_with_state": lost,
            "recovered": 3,
            "unexpected": 0,
            "duplicated": 0,
            "operations": len(self._story.calls),
        }
        self._story.metrics = self._gauges()
        return self._story.trial()

    def _call(self, at: float) -> None:
        method = str(self._random.choice(list(METHODS), p=list(METHODS.values())))
        endpoint = str(self._random.choice(list(PARTS[self.design].entries)))
        entry = PARTS[self.design].entries[endpoint]
        home = entry
        asked: str | Submitted | Page = Page(f"s{at}", 0)
        if method == "SubmitJob":
            asked = Submitted("sleep", "d")
        elif method != "ListJobs":
            if not self._homes:
                return
            known = self._homes[
                int(self._random.integers(max(0, len(self._homes) - 80), len(self._homes)))
            ]
            asked, home = known[0], known[1]
        took = float(self._random.lognormal(np.log(0.005), 0.5))
        for fault in self.schedule:
            if fault.at - 0.02 < at < fault.end:
                touched = self._touched(fault.target, entry, home, method)
                if touched and fault.kind == "pause":
                    if (left := fault.end - at) > 4.5:
                        self._fail(at, 4.5, method, asked, endpoint, "DEADLINE_EXCEEDED")
                        return
                    took += left
                elif touched and fault.kind == "delay":
                    took += 0.1
                elif touched:
                    reason = "" if fault.target == entry else "OWNER_UNREACHABLE"
                    self._fail(at, 0.002, method, asked, endpoint, "UNAVAILABLE", reason)
                    return
        self._answer(at, took, method, asked, entry, endpoint)

    def _touched(self, target: str, entry: str, home: str, method: str) -> bool:
        if ">" in target:
            first, second = target.split(">")
            return first == entry and (second in {home, "job"} or method == "ListJobs")
        if self.design == "a":
            return target in {"gateway", "job"}
        return target in {entry, home} or method == "ListJobs"

    def _fail(
        self,
        at: float,
        took: float,
        method: str,
        asked: str | Submitted | Page,
        endpoint: str,
        code: str,
        reason: str = "",
    ) -> None:
        self._story.call(at, took, method, asked, code=code, reason=reason, endpoint=endpoint)

    def _answer(
        self,
        at: float,
        took: float,
        method: str,
        asked: str | Submitted | Page,
        entry: str,
        endpoint: str,
    ) -> None:
        if method == "SubmitJob":
            job_id = f"{self.design}{len(self._homes):06d}"
            self._homes.append((job_id, entry))
            self._story.call(at, took, method, asked, job_id, endpoint=endpoint)
            self._job(job_id, entry, at + took)
        elif method == "ListJobs":
            self._story.call(at, took, method, asked, Listed((), False), endpoint=endpoint)
        elif self._lost.get(str(asked), at) < at:
            self._refuse(at, took, method, asked, endpoint, "NOT_FOUND", "JOB_NOT_FOUND")
        elif method != "GetJobResult":
            state = seen(str(asked), "DONE")
            self._story.call(at, took, method, asked, state, endpoint=endpoint)
        elif self._random.random() < 0.3:
            code = "FAILED_PRECONDITION"
            self._refuse(at, took, method, asked, endpoint, code, "JOB_NOT_FINISHED")
        else:
            self._story.call(at, took, method, asked, Result("DONE", "d"), endpoint=endpoint)

    def _refuse(
        self,
        at: float,
        took: float,
        method: str,
        asked: str | Submitted | Page,
        endpoint: str,
        code: str,
        reason: str,
    ) -> None:
        self._story.call(
            at, took, method, asked, None, code, reason, definite=True, endpoint=endpoint
        )

    def _job(self, job_id: str, home: str, at: float) -> None:
        """Let a job run, later if its worker is out, and let it go with the memory of its home."""
        worker, owner = ("worker", "job") if self.design == "a" else (home, home)
        start = at + float(self._random.exponential(0.003))
        finish = start + 0.2 + float(self._random.exponential(0.05))
        attempt, lost = 1, None
        for fault in self.schedule:
            if fault.loses and fault.target == owner and at < fault.at:
                lost = fault.at
                break
            if fault.target != worker:
                continue
            if start <= fault.at < finish and fault.kind in {"kill", "restart"}:
                first = seen(job_id, "RUNNING", 1, worker, start)
                self._story.call(fault.at - 0.001, 0.001, asked=job_id, answer=first)
                attempt = 2
                again = fault.end + float(self._random.exponential(0.3))
            if fault.at - 0.02 < start < fault.end or (attempt == 2 and start <= fault.at):
                start = fault.end + (at - fault.at) * 0.3 + float(self._random.exponential(0.3))
                start = again if attempt == 2 else start
                finish = start + 0.2
        if attempt == 2:
            rerun = seen(job_id, "RUNNING", 2, worker, start)
            self._story.call(start + 0.1, 0.001, asked=job_id, answer=rerun)
        self._lives.append((owner, at, finish if lost is None else min(finish, lost)))
        if lost is None:
            self._story.job(job_id, at, start, finish, attempt, worker)
        else:
            self._lost[job_id] = lost
            self._story.job(job_id, None, state="MISSING", problem="NOT_FOUND: no such job")

    def _gauges(self) -> MetricSeries:
        """Return what the owners of jobs say each second, while they can."""
        found = {}
        for owner in sorted({life[0] for life in self._lives}):
            out = [each for each in self.schedule if each.target == owner]
            times = [
                at
                for at in np.arange(0.5, self.seconds, 1.0).tolist()
                if not any(each.at <= at < each.end for each in out)
            ]
            lives = [life[1:] for life in self._lives if life[0] == owner]
            begun, over = (np.sort(np.array(each)) for each in zip(*lives, strict=True))
            reported = np.searchsorted(begun, times, "right") - np.searchsorted(
                over, times, "right"
            )
            series = Series({"state": "RUNNING"}, range(len(times)), reported.tolist())
            found[owner] = ProcessSeries(
                [UNIX_US / 1e6 + at for at in times],
                [0.002] * len(times),
                (),
                {"taskqueue_jobs": [series]},
            )
        return MetricSeries(found)


def trials(**changes: object) -> list[FaultTrial]:
    """Play both designs under the schedule of a quick run."""
    return [Play(design, SCHEDULE[design], **changes).trial() for design in "ab"]  # type: ignore[arg-type]


def run(**changes: object) -> FaultRun:
    """Return what is reported of a fault run besides its figures."""
    fields: dict[str, object] = {
        "name": "quick",
        "when": "2026-11-24T18:05:00+00:00",
        "seed": 1,
        "what_ran": (
            "Seven faults for each design, 5 s of fault and then 5 s of health; open loop of 80 "
            "calls per second.",
        ),
        "command": "testbed faults quick",
        "folder": "20261124T180500Z",
        "plan": {"name": "quick", "seconds": 5.0, "health": 5.0, "traffic": {"rate": 80.0}},
        "provenance": provenance(command="testbed faults quick"),
    }
    return FaultRun(**(fields | changes))  # type: ignore[arg-type]

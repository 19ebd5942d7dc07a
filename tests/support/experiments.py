"""Writes whole experiments with realistic and known contents, as a real run would leave them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from testbed.record import files
from testbed.record.files import ResourceLog
from testbed.record.metrics import MetricLog
from testbed.record.model import (
    COMPLETE,
    EXTERNAL,
    FAILED,
    GENERATOR,
    OPEN,
    STACK,
    JobRow,
    Offered,
    ResourceRow,
    TrialHeader,
)
from testbed.stack.sides.side import Side
from tests.support.recordings import LoadMaker

START = 1_795_328_000
PROCESSES = {
    "a": ("gateway", "job", "queue", "coordinator", "result", "worker"),
    "b": ("node-1", "node-2", "node-3", "node-4", "node-5", "node-6"),
}
# Median of a call in milliseconds for each design, and calls per second.
CALLS = {
    "SubmitJob": (6.4, 2.3, 60),
    "GetJobStatus": (3.1, 2.4, 45),
    "GetJobResult": (4.0, 2.5, 30),
    "CancelJob (already finished)": (3.5, 2.4, 6),
    "ListJobs": (4.2, 8.8, 7),
}
CPU_MS_PER_JOB = {"a": 9.8, "b": 5.2}
COMPLETION_MS = {"a": 41.0, "b": 27.0}
MACHINE = {
    "cpu": "AMD EPYC",
    "cores": 2,
    "memory_bytes": 25_276_514_304,
    "system": "Linux",
    "kernel": "6.18.44",
    "load_average": [0.31, 0.52, 0.4],
}


def plan(**changes: Any) -> dict[str, Any]:
    """A plan as ``experiment.json`` has it."""
    return {
        "name": "quick",
        "sides": ["a", "b"],
        "blocks": 5,
        "warmup": 3.0,
        "duration": 12.0,
        "seed": 1,
        "audit": 60.0,
        "slots": 12,
        "traffic": {
            "users": 20,
            "mix": "submit=40,status=30,result=20,cancel=5,list=5",
            "kind": "sleep",
            "job_ms": 20.0,
            "payload_bytes": 64,
            "deadline": 5.0,
            "think_time": 0.05,
        },
        "limits": {},
        "titles": {"a": "six microservices", "b": "six monolith nodes"},
        **changes,
    }


def provenance(**changes: Any) -> dict[str, Any]:
    """Where a run comes from, as ``experiment.json`` has it."""
    return {
        "command": "testbed compare",
        "git": {"commit": "133be23f0a926932a06acf87349a4d9261eb246e", "dirty": False},
        "lock_sha256": "eb8ea4f20e2c1c680fdb8f85f5053be281d10de272d09fca10765b305683c5b2",
        "python": "3.11.7",
        "packages": {"grpcio": "1.85.1", "locust": "2.47.0", "gevent": "26.9.0"},
        "machine": MACHINE,
        **changes,
    }


@dataclass
class Experiment:
    """Writes an experiment folder.

    ``cells`` are levels of factors; each block runs all sides in each cell, and with ``mirrored``
    once more in the mirror of that order. ``slower`` multiplies the times of the second side, so
    that equal designs with 1.0 differ by noise alone.
    ``budget`` is what every process may use, as ``trial.json`` has it; ``throttled`` the share of
    the time in which a process was held back by it, and of twice as many periods. ``external`` are
    the sides that were servers which were there already.
    """

    blocks: int = 5
    mirrored: bool = False
    seconds: int = 15
    cells: Sequence[Mapping[str, Any]] = ({},)
    slower: float = 1.0
    noise: float = 0.04
    loop: str = "closed"
    plan: dict[str, Any] = field(default_factory=plan)
    provenance: dict[str, Any] = field(default_factory=provenance)
    void: Mapping[int, str] = field(default_factory=dict)
    lose: frozenset[int] = frozenset()
    fairness: Sequence[Mapping[str, Any]] = ()
    declared: Sequence[Mapping[str, str]] = ()
    external: frozenset[int] = frozenset()
    metrics: bool = False
    budget: Mapping[str, float] = field(default_factory=dict)
    throttled: Mapping[str, float] = field(default_factory=dict)
    seed: int = 7

    def write(self, folder: Path) -> Path:
        """Write everything and return the folder."""
        self._random = np.random.default_rng(self.seed)
        designs = [Side.parse(side).design for side in self.plan["sides"]]
        folder.mkdir(parents=True, exist_ok=True)
        number, schedule = 0, []
        for block in range(1, self.blocks + 1):
            for cell in self.cells:
                order = self._random.permutation(len(designs)).tolist()
                order += order[::-1] if self.mirrored else []
                for position, side in enumerate(order, start=1):
                    number += 1
                    header = self._header(number, block, position, side, designs[side], cell)
                    schedule.append({"number": number})
                    self._trial(folder, header)
        files.write_json(
            folder / files.EXPERIMENT,
            {
                "format": 3,
                "plan": {**self.plan, "blocks": self.blocks},
                "provenance": self.provenance,
                "schedule": schedule,
            },
        )
        return folder

    def _header(
        self,
        number: int,
        block: int,
        position: int,
        side: int,
        design: str,
        cell: Mapping[str, Any],
    ) -> TrialHeader:
        error = self.void.get(number, "")
        return TrialHeader(
            number=number,
            block=block,
            position=position,
            side=side,
            design=design,
            status=FAILED if error else COMPLETE,
            error=error,
            runtime=EXTERNAL if side in self.external else "",
            started=f"2026-11-22T06:{number % 60:02d}:00+00:00",
            plan_cell=dict(cell),
            fairness=self.fairness[side] if self.fairness else {},
            declared=self.declared[side] if self.declared else {},
            budget=dict.fromkeys(PROCESSES[design], self.budget) if self.budget else {},
        )

    def _trial(self, root: Path, header: TrialHeader) -> None:
        folder = root / files.TRIALS / f"{header.number:03d}-{header.design}"
        folder.mkdir(parents=True)
        files.write_header(folder, header)
        if header.status == FAILED:
            return
        start = START + header.number * 60
        load = float(header.plan_cell.get("users", header.plan_cell.get("rate", 20)))
        jobs = self._jobs(header, start, load)
        self._load(header, start, load, [job.job_id for job in jobs]).write(folder)
        files.write_jobs(folder, jobs)
        self._resources(folder, header, start, jobs)
        self._metrics(folder, header, start)

    def _metrics(self, folder: Path, header: TrialHeader, start: int) -> None:
        """Let every process say what it handled each second.

        That is 10 status calls of clients, each 1 ms, and 30 records that the gateway asks the job
        service for, or 2 status calls that each node forwards, of 100 bytes.
        """
        processes = PROCESSES[header.design] if self.metrics else ()
        with MetricLog(folder) as log:
            for at in range(0, self.seconds + 1, 3):
                for process in processes:
                    page = "".join(_answered(process, at))
                    log.answered(float(start + at), process, 0.002, page)
            log.cost(float(start + self.seconds), 0.01)

    def _factor(self, header: TrialHeader) -> float:
        slower = self.slower if header.side == 1 else 1.0
        return float(slower * np.exp(self._random.normal(0, self.noise)))

    def _load(self, header: TrialHeader, start: int, load: float, accepted: list[str]) -> LoadMaker:
        factor = self._factor(header) * (load / 20) ** 0.5
        column = "ab".index(header.design)
        per_second: dict[int, dict[str, dict[str, list[int]]]] = {}
        for second in range(self.seconds):
            per_second[second] = {}
            for name, call in CALLS.items():
                count = int(self._random.poisson(call[2] * load / 20))
                service = self._times(call[column] * factor, count)
                per_second[second][name] = self._kinds(service)
        return LoadMaker(
            seconds=self.seconds,
            start=start,
            warmup=float(self.plan["warmup"]),
            loop=self.loop,
            offered=Offered(150.0, "poisson", 1000) if self.loop == OPEN else Offered(),
            calls={},
            per_second=per_second,
            accepted=accepted,
        )

    def _times(self, median_ms: float, count: int) -> list[int]:
        body = self._random.lognormal(np.log(median_ms * 1000), 0.45, count)
        tail = np.where(
            self._random.random(count) < 0.03, self._random.exponential(40_000, count), 0
        )
        return [max(100, round(float(value))) for value in body + tail]

    def _kinds(self, service: list[int]) -> dict[str, list[int]]:
        if self.loop != OPEN:
            return {"service": service}
        delay = [max(1, round(float(v))) for v in self._random.exponential(150, len(service))]
        response = [one + late for one, late in zip(service, delay, strict=True)]
        return {"service": service, "delay": delay, "response": response}

    def _jobs(self, header: TrialHeader, start: int, load: float) -> list[JobRow]:
        factor = self._factor(header)
        count = round(60 * load / 20) * self.seconds
        created = np.sort(self._random.uniform(start, start + self.seconds - 0.2, count)) * 1e6
        waits = self._random.exponential(1500 * factor, count)
        runs = self._random.lognormal(
            np.log(COMPLETION_MS[header.design] * 1000 * factor), 0.3, count
        )
        lost = header.number in self.lose
        return [
            JobRow(
                job_id=f"{header.design}{index:08d}",
                accepted=True,
                state="MISSING" if lost and index < 3 else "DONE",
                attempt=1,
                create_us=round(at),
                start_us=round(at + wait),
                finish_us=round(at + wait + run),
                worker="w",
                problem="NOT_FOUND: no such job" if lost and index < 3 else "",
            )
            for index, (at, wait, run) in enumerate(
                zip(created.tolist(), waits.tolist(), runs.tolist(), strict=True)
            )
        ]

    def _resources(self, folder: Path, header: TrialHeader, start: int, jobs: list[JobRow]) -> None:
        cores = CPU_MS_PER_JOB[header.design] * len(jobs) / self.seconds / 1000
        cores *= self._factor(header)
        processes = PROCESSES[header.design]
        shares = np.linspace(1.6, 0.4, len(processes)) if header.design == "a" else np.ones(6)
        with ResourceLog(folder) as log:
            for step in range(4 * self.seconds + 8):
                at = start - 1 + step / 4
                used = step / 4
                known = () if header.runtime == EXTERNAL else processes
                log.append(
                    ResourceRow(
                        at,
                        STACK,
                        name,
                        cores * share / shares.sum() * used,
                        48 << 20,
                        *self._throttling(name, used),
                    )
                    for name, share in zip(known, shares.tolist(), strict=False)
                )
                log.append([ResourceRow(at, GENERATOR, "locust", 0.25 * used, 90 << 20)])

    def _throttling(self, process: str, used: float) -> tuple[float, int, int] | tuple[()]:
        """Return throttled seconds, periods of 0.1 s and those cut short after so many seconds."""
        if not self.budget:
            return ()
        share = self.throttled.get(process, 0.0)
        return used * share, round(used * 10), round(used * 20 * share)


def damage(folder: Path, **changes: Any) -> None:
    """Change fields of ``experiment.json``."""
    path = folder / files.EXPERIMENT
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _answered(process: str, seconds: int) -> Iterator[str]:
    """Give the lines of the page of a process that has run so long."""
    public, internal = "taskqueue.v1.TaskQueueService", "taskqueue.internal.v1.JobService"
    is_node = process.startswith("node")
    if is_node or process == "gateway":
        yield from _counters(public, "GetJobStatus", "client", 10 * seconds)
    if is_node:
        yield from _counters(public, "GetJobStatus", "node", 2 * seconds)
    if process == "job":
        yield from _counters(internal, "GetJobRecord", "gateway", 30 * seconds)


def _counters(service: str, method: str, caller: str, calls: int) -> Iterator[str]:
    labels = f'{{grpc_service="{service}",grpc_method="{method}",caller="{caller}"}}'
    for name, value in (
        ("handling_seconds_count", float(calls)),
        ("handling_seconds_sum", calls / 1000),
        ("waiting_seconds_total", 0.0),
        ("received_bytes_total", 40.0 * calls),
        ("sent_bytes_total", 60.0 * calls),
    ):
        yield f"taskqueue_{name}{labels} {value}\n"

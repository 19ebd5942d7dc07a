"""Drives of a capacity run: trials like those of any experiment, each on a fresh stack.

Fresh, because what an overloaded stack has left over, in queues and in memory, would be charged to
the next rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from testbed.drive.figures.validity import Limits
from testbed.drive.traffic import Traffic
from testbed.drive.trial import Level, StackExited, Tools, Trial, TrialSpec, Workload
from testbed.errors import TestbedError
from testbed.record import files
from testbed.record.reader import read_trial
from testbed.runs.capacity import judge
from testbed.runs.capacity.judge import Judgement
from testbed.runs.capacity.plan import CapacityPlan
from testbed.stack.sides.resolve import resolve
from testbed.stack.sides.side import folder_name, title

SWEEP_THINK = 0.0


class DriveFailed(TestbedError):
    """A drive could not be run; the message says why."""


class TrialDriver:
    """Runs each drive as a trial, into a folder below ``folder``."""

    def __init__(
        self,
        plan: CapacityPlan,
        folder: Path,
        tools: Tools,
        workload: Callable[[Traffic], Workload],
        limits: Limits | None = None,
    ) -> None:
        """``workload`` makes what is driven for a traffic."""
        self._plan = plan
        self._folder = folder
        self._tools = tools
        self._workload = workload
        self._limits = limits or Limits()
        self._number = 0

    def open_loop(self, side: str, rate: float, confirm: bool) -> Judgement:
        traffic = replace(
            self._plan.traffic, rate=rate, duration=self._plan.drive_seconds(rate, confirm)
        )
        words = f"{title(side)}, {rate:.3g} calls/s" + ", to confirm" * confirm
        path = self._run(side, words, traffic, {"rate": rate})
        judgement = judge.judge(read_trial(path), self._plan.slo, self._limits)
        self._done(path, judgement)
        return judgement

    def closed_loop(self, side: str, users: int) -> Judgement:
        traffic = replace(self._plan.traffic, users=users, think_time=SWEEP_THINK)
        words = f"{title(side)}, {users} users"
        path = self._run(side, words, traffic, {"users": users})
        judgement = judge.throughput(read_trial(path), self._limits)
        self._done(path, judgement)
        return judgement

    def _run(self, side: str, words: str, traffic: Traffic, levels: dict[str, Level]) -> Path:
        """Run a trial. That its stack died of it is a judgement on the side, no error.

        Raises :class:`DriveFailed` if it failed otherwise: then another rate would fail as well.
        """
        self._number += 1
        # Every drive has arrivals of its own: a lucky draw must not be repeated as luck.
        traffic = replace(traffic, seed=traffic.seed + self._number)
        deployment = resolve(side, self._plan.spec)
        spec = TrialSpec(self._number, deployment, block=self._number, levels=levels)
        path = self._folder / files.TRIALS / f"{self._number:03d}-{folder_name(deployment.side)}"
        self._tools.progress.trial(self._number, words)
        self._tools.progress.expect(max(self._number, self._plan.expected_drives()))
        trial = Trial(spec, self._workload(traffic), path, self._tools)
        header = trial.run()
        if trial.failure is not None and not isinstance(trial.failure, StackExited):
            self._tools.progress.trial_done(header.error.partition("\n")[0], good=False)
            raise DriveFailed(f"{words}: {header.error}")
        return path

    def _done(self, path: Path, judgement: Judgement) -> None:
        files.write_json(
            path / "judgement.json",
            {
                "told": judgement.verdict,
                "reason": judgement.reason,
                "figures": dict(judgement.figures),
            },
        )
        why = judgement.reason or ", ".join(f"{v:.0f} {k}" for k, v in judgement.figures.items())
        self._tools.progress.trial_done(f"{judgement.verdict}: {why}", good=True)

"""Runs simulated jobs: they take virtual time, fail at times, and name their execution."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from random import Random

from common.domain.job import Assignment, Outcome
from common.worker.outcomes import done, failed
from tests.simulation.executions import Executions

TICK = 0.1
"""Executions end at whole multiples of so many seconds."""


class SimulatedExecutor:
    """The worker's executor. No two runs have equal outputs, so that a wrong one shows.

    ``durations`` are the longest seconds that a run takes, and how often each is drawn.
    """

    def __init__(
        self, random: Random, durations: Sequence[tuple[float, int]], executions: Executions
    ) -> None:
        self._random = random
        self._longest = [longest for longest, _ in durations]
        self._weights = [weight for _, weight in durations]
        self._executions = executions

    async def run(self, assignment: Assignment) -> Outcome:
        job_id, attempt = assignment.execution
        run = self._executions.began(assignment)
        (longest,) = self._random.choices(self._longest, self._weights)
        await self._work(self._random.uniform(0, longest))
        what = f"run {run} of {job_id} under attempt {attempt}"
        fails = self._random.random() < 0.15
        outcome = failed("SIMULATED", what) if fails else done(what.encode())
        self._executions.ended(assignment, outcome)
        return outcome

    async def _work(self, seconds: float) -> None:
        """Take the time, up to the next tick, so that some executions end at one moment."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(math.ceil((now + seconds) / TICK) * TICK - now)

    async def close(self) -> None:
        """Nothing to close."""

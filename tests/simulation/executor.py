"""Runs simulated jobs: they take virtual time, fail at times, and say which execution they were."""

from __future__ import annotations

import asyncio
from itertools import count
from random import Random

from common.domain.job import Assignment, Outcome
from common.worker.outcomes import done, failed


class SimulatedExecutor:
    """The worker's executor. No two runs have equal outputs, so that a wrong one shows."""

    def __init__(self, random: Random, runs: count[int]) -> None:
        self._random = random
        self._runs = runs

    async def run(self, assignment: Assignment) -> Outcome:
        job_id, attempt = assignment.execution
        run = next(self._runs)
        await asyncio.sleep(_duration(self._random))
        if self._random.random() < 0.15:
            return failed("SIMULATED", f"run {run} of {job_id} under attempt {attempt}")
        return done(f"run {run} of {job_id} under attempt {attempt}".encode())

    async def close(self) -> None:
        """Nothing to close."""


def _duration(random: Random) -> float:
    """Mostly short, at times longer than a lease."""
    longest = random.choices((0.5, 3.0, 9.0), (60, 25, 15))[0]
    return random.uniform(0, longest)

"""Fixtures of the tests that run jobs as a worker does, with processes and without."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from common.domain.job import Assignment, Execution, JobSpec

BOUND = 20.0


@pytest.fixture
def assignment() -> Callable[..., Assignment]:
    def make(
        job: str, kind: str = "noop", payload: bytes = b"", attempt: int = 1, timeout=None
    ) -> Assignment:
        spec = JobSpec(kind, payload, timeout)
        return Assignment(Execution(job, attempt), spec, f"correlation-{job}")

    return make


@pytest.fixture
def bounded() -> Callable[[Awaitable[None]], None]:
    """Runs a scenario and fails if it takes forever."""

    def run(scenario: Awaitable[None]) -> None:
        async def limited() -> None:
            async with asyncio.timeout(3 * BOUND):
                await scenario

        asyncio.run(limited())

    return run

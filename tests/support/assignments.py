"""What the tests need that run jobs as a worker does, with processes and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.domain.job import Assignment, Execution, JobSpec


@pytest.fixture
def assignment() -> Callable[..., Assignment]:
    def make(
        job: str, kind: str = "noop", payload: bytes = b"", attempt: int = 1, timeout=None
    ) -> Assignment:
        spec = JobSpec(kind, payload, timeout)
        return Assignment(Execution(job, attempt), spec, f"correlation-{job}")

    return make

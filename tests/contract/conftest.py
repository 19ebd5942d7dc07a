"""Fixtures of the contract suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import jobs
from tests.support.client import RUNNING, TERMINAL, Client


@pytest.fixture
def busy_slots(client: Client, slots: int) -> Iterator[list[str]]:
    """Ids of long jobs that take every slot until the test has ended."""
    share, rest = divmod(slots, len(client.at))
    assert not rest, "the slots are shared out evenly over the endpoints"
    job_ids = [calls.submit(jobs.sleep(600_000)) for calls in client.at for _ in range(share)]
    for job_id in job_ids:
        client.wait(job_id, RUNNING)
    yield job_ids
    for job_id in job_ids:
        client.cancel(job_id)
    for job_id in job_ids:
        client.wait(job_id, *TERMINAL)

"""The job owner in memory."""

from __future__ import annotations

from typing import Any

import pytest

from common.domain.job import Job, JobState
from tests.support.stores import memory_jobs


async def test_submits_are_not_remembered_for_ever() -> None:
    jobs = memory_jobs()
    for number in range(100):
        await jobs.create(submit_id=f"s{number}")
        jobs.clock.advance(1)
    assert len(jobs.owner._submits) <= 21


@pytest.mark.parametrize("filters", [{}, {"kind": "sleep"}, {"state": JobState.RUNNING}])
async def test_a_page_reads_no_more_than_it_returns(
    filters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = memory_jobs()
    for number in range(2000):
        job = await jobs.create(("noop", "sleep")[number % 2])
        if number % 4 < 2:
            await jobs.step(job, JobState.RUNNING)
    read: list[str] = []

    class CountingDict(dict[str, Job]):
        def __getitem__(self, key: str) -> Job:
            read.append(key)
            return super().__getitem__(key)

    records = CountingDict(jobs.owner._jobs)
    monkeypatch.setattr(jobs.owner, "_jobs", records)
    assert len(await jobs.page(limit=10, **filters)) == 10
    assert len(read) == 10

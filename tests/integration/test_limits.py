"""The limits of the queue, in both designs."""

from __future__ import annotations

import pytest

from tests.integration.conftest import StackMaker
from tests.support import jobs
from tests.support.client import (
    CANCELED,
    DONE,
    RUNNING,
    Calls,
    Client,
    rejection_of,
    spec,
)
from tests.support.waiting import eventually

ENTRY = {"a": "gateway", "b": "node-0"}


def _occupy(client: Client, slots: int) -> list[str]:
    job_ids = [client.submit(jobs.sleep(600_000)) for _ in range(slots)]
    for job_id in job_ids:
        client.wait(job_id, RUNNING)
    return job_ids


def _assert_full(calls: Calls, job: object, limit: str) -> None:
    rejection = rejection_of(lambda: calls.submit(job))  # type: ignore[arg-type]
    assert (rejection.code, rejection.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert rejection.domain == "taskqueue"
    assert rejection.metadata == {"limit": limit, "outcome": "definite"}


@pytest.mark.parametrize("design", ["a", "b"])
def test_a_full_queue_refuses_jobs_and_takes_them_again_when_there_is_room(
    start_stack: StackMaker, design: str
) -> None:
    # Jobs that run count, too: they are in the queue until they are acknowledged.
    slots = {"a": 6, "b": 1}[design]
    stack = start_stack(design, slots=6, max_queued_jobs=slots + 3)
    client = stack.client(ENTRY[design])
    running = _occupy(client, slots)
    queued = [client.submit(jobs.sleep(1)) for _ in range(3)]

    for _ in range(5):
        _assert_full(client, jobs.sleep(1), "max_queued_jobs")

    eventually(
        lambda: {job.job_id for job in client.all_jobs()},
        lambda listed: listed == {*running, *queued},
        what="the withdrawal of what was refused",
    )
    client.cancel(queued[0])
    eventually(lambda: _accepts(client), what="room after a cancel")
    for job_id in running:
        client.cancel(job_id)
        assert client.wait(job_id).state == CANCELED
    for job_id in queued[1:]:
        assert client.wait(job_id).state == DONE
    eventually(lambda: _accepts(client), what="room in the end")


@pytest.mark.parametrize("design", ["a", "b"])
def test_the_bytes_in_the_queue_are_limited(start_stack: StackMaker, design: str) -> None:
    stack = start_stack(design, slots=6, max_queued_bytes=3 << 20)
    client = stack.client(ENTRY[design])
    running = _occupy(client, {"a": 6, "b": 1}[design])
    large = spec("noop", bytes(1 << 20))
    queued = [client.submit(large) for _ in range(2)]

    _assert_full(client, large, "max_queued_bytes")
    small = client.submit(jobs.noop())

    for job_id in running:
        client.cancel(job_id)
    for job_id in [*queued, small]:
        assert client.wait(job_id).state == DONE
    assert client.run(large).state == DONE


def test_a_request_id_refused_by_a_full_queue_is_accepted_later(start_stack: StackMaker) -> None:
    stack = start_stack("a", slots=6, max_queued_jobs=7)
    client = stack.client()
    running = _occupy(client, 6)
    client.submit(jobs.sleep(1))
    rejection = rejection_of(lambda: client.submit(jobs.sleep(1), "again"))
    assert rejection.reason == "QUEUE_FULL"

    client.cancel(running[0])
    eventually(lambda: _accepts(client, "again"), what="room after a cancel")

    job_id = client.submit(jobs.sleep(1), "again")
    assert client.wait(job_id).state == DONE
    assert client.submit(jobs.sleep(1), "again") == job_id


def _accepts(client: Client, request_id: str = "") -> bool:
    """Whether a job can be submitted; it runs, too."""
    try:
        rejection_of(lambda: client.submit(jobs.sleep(1), request_id))
    except AssertionError:
        return True
    return False

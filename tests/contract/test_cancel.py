"""Cancel in each state of a job."""

from __future__ import annotations

import random
import time

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.support import jobs
from tests.support.client import CANCELED, DONE, FAILED, QUEUED, RUNNING, Client


@pytest.mark.usefixtures("busy_slots")
class TestQueued:
    """While every slot is taken."""

    def test_a_queued_job_is_canceled_at_once_and_has_never_run(self, client: Client) -> None:
        job_id = client.submit(jobs.noop())
        assert client.status(job_id).state == QUEUED

        status = client.cancel(job_id)

        assert (status.state, status.attempt, status.worker) == (CANCELED, 0, "")
        assert status.cancel_requested
        assert not status.HasField("start_time")
        assert status.HasField("finish_time")
        assert client.status(job_id) == status
        result = client.result(job_id)
        assert (result.state, result.output) == (CANCELED, b"")
        assert not result.HasField("failure")

    def test_a_job_canceled_in_the_queue_never_starts_later(
        self, client: Client, busy_slots: list[str]
    ) -> None:
        canceled = [calls.submit(jobs.sleep(1)) for calls in client.at]
        behind = [calls.submit(jobs.sleep(1)) for calls in client.at]
        statuses = [client.cancel(job_id) for job_id in canceled]

        for job_id in busy_slots:
            client.cancel(job_id)

        # Queues are first in, first out: once these are done, the others had their turn.
        for job_id in behind:
            assert client.wait(job_id).state == DONE
        assert [client.status(job_id) for job_id in canceled] == statuses

    def test_canceling_a_queued_job_twice_changes_nothing(self, client: Client) -> None:
        job_id = client.submit(jobs.noop())
        first = client.cancel(job_id)
        assert client.cancel(job_id) == first

    def test_a_canceled_job_keeps_its_request_id(self, client: Client, unique: str) -> None:
        job_id = client.submit(jobs.noop(), unique)
        client.cancel(job_id)
        assert client.submit(jobs.noop(), unique) == job_id
        assert client.status(job_id).state == CANCELED

    def test_a_queued_job_has_not_started(self, client: Client) -> None:
        job_id = client.submit(jobs.noop())
        status = client.status(job_id)
        assert (status.state, status.attempt, status.worker) == (QUEUED, 0, "")
        assert status.HasField("create_time")
        assert not status.HasField("start_time")
        assert not status.HasField("finish_time")


@pytest.mark.parametrize("job", [jobs.sleep(120_000), jobs.spin(120_000)], ids=lambda job: job.kind)
def test_a_running_job_ends_canceled(client: Client, job: pb.JobSpec) -> None:
    job_id = client.submit(job)
    client.wait(job_id, RUNNING)

    answer = client.cancel(job_id)

    assert (answer.state, answer.cancel_requested) == (RUNNING, True)
    status = client.wait(job_id)
    assert (status.state, status.cancel_requested, status.attempt) == (CANCELED, True, 1)
    assert not status.HasField("failure")
    assert status.start_time.ToNanoseconds() <= status.finish_time.ToNanoseconds()
    result = client.result(job_id)
    assert (result.state, result.output) == (CANCELED, b"")


def test_slots_are_free_again_after_cancels(client: Client, slots: int) -> None:
    running = [client.submit(jobs.spin(120_000)) for _ in range(slots)]
    for job_id in running:
        client.wait(job_id, RUNNING)
        client.cancel(job_id)
    assert {client.wait(job_id).state for job_id in running} == {CANCELED}

    after = [client.submit(jobs.spin(1)) for _ in range(slots)]
    assert {client.wait(job_id).state for job_id in after} == {DONE}


@pytest.mark.parametrize(
    ("job", "state"), [(jobs.sleep(1), DONE), (jobs.fail("no"), FAILED)], ids=["done", "failed"]
)
def test_cancel_of_a_terminal_job_returns_it_unchanged(
    client: Client, job: pb.JobSpec, state: object
) -> None:
    status = client.run(job)
    assert status.state == state
    assert client.cancel(status.job_id) == status
    assert client.status(status.job_id) == status


def test_cancel_of_a_canceled_job_returns_it_unchanged(client: Client) -> None:
    job_id = client.submit(jobs.sleep(120_000))
    client.wait(job_id, RUNNING)
    client.cancel(job_id)
    status = client.wait(job_id)
    assert status.state == CANCELED
    assert client.cancel(job_id) == status


def test_a_cancel_that_races_with_the_start_always_ends_the_job(client: Client, slots: int) -> None:
    pauses = random.Random(3)
    job_ids = []
    for _ in range(8 * slots):
        job_ids.append(client.submit(jobs.sleep(600_000)))
        time.sleep(pauses.uniform(0, 0.004))
        answer = client.cancel(job_ids[-1])
        if answer.state == CANCELED:
            assert answer.attempt == 0, "canceled in the queue, so it never started"
        else:
            assert (answer.state, answer.cancel_requested) == (RUNNING, True)
    statuses = [client.wait(job_id) for job_id in job_ids]
    assert {status.state for status in statuses} == {CANCELED}
    assert {status.attempt for status in statuses} <= {0, 1}
    assert client.run(jobs.sleep(1)).state == DONE

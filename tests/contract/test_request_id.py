"""The idempotency key of a submit."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.support import jobs
from tests.support.client import DONE, TIMEOUT, Client, rejection_of, spec


def test_a_repeat_returns_the_first_job_at_every_endpoint(client: Client, unique: str) -> None:
    job_id = client.submit(jobs.sleep(1), unique)
    assert {calls.submit(jobs.sleep(1), unique) for calls in client.at} == {job_id}


def test_a_repeat_after_the_end_returns_the_finished_job(client: Client, unique: str) -> None:
    job_id = client.submit(jobs.sleep(1), unique)
    status = client.wait(job_id)
    assert client.submit(jobs.sleep(1), unique) == job_id
    assert client.status(job_id) == status


def test_submits_at_the_same_time_make_one_job(client: Client, unique: str) -> None:
    before = {job.job_id for job in client.all_jobs(kind="sleep")}
    with ThreadPoolExecutor(24) as pool:
        calls = [
            pool.submit(client.at[turn % len(client.at)].submit, jobs.sleep(1), unique)
            for turn in range(48)
        ]
        job_ids = {call.result() for call in calls}

    assert len(job_ids) == 1
    assert {job.job_id for job in client.all_jobs(kind="sleep")} - before == job_ids
    status = client.wait(*job_ids)
    assert (status.state, status.attempt) == (DONE, 1)


@pytest.mark.parametrize(
    "other",
    [jobs.noop(), jobs.sleep(2), jobs.sleep(1, execution_timeout=9), spec("text_stats", b"1")],
    ids=["kind", "payload", "execution timeout", "kind and payload"],
)
def test_another_job_under_the_same_request_id_is_refused(
    client: Client, unique: str, other: pb.JobSpec
) -> None:
    job_id = client.submit(jobs.sleep(1), unique)
    for calls in client.at:
        rejection = rejection_of(lambda calls=calls: calls.submit(other, unique))
        assert (rejection.code, rejection.reason) == ("FAILED_PRECONDITION", "REQUEST_ID_REUSED")
        assert rejection.domain == "taskqueue"
        assert rejection.metadata["outcome"] == "definite"
        assert rejection.metadata["request_id"] == unique
    assert client.submit(jobs.sleep(1), unique) == job_id
    assert client.wait(job_id).state == DONE


def test_submits_without_a_request_id_are_all_new(client: Client) -> None:
    assert len({client.submit(jobs.noop()) for _ in range(10)}) == 10


def test_different_request_ids_are_different_jobs(client: Client, unique: str) -> None:
    job_ids = {client.submit(jobs.noop(), f"{unique}-{number}") for number in range(20)}
    assert len(job_ids) == 20


def test_a_repeat_of_an_abandoned_submit_gives_one_job_that_runs(
    client: Client, unique: str
) -> None:
    pauses = random.Random(2)
    for number in range(60):
        request = pb.SubmitJobRequest(job=jobs.sleep(1), request_id=f"{unique}-{number}")
        call = client.stub.SubmitJob.future(request, timeout=TIMEOUT)
        time.sleep(pauses.uniform(0, 0.003))
        call.cancel()

    job_ids = [client.submit(jobs.sleep(1), f"{unique}-{number}") for number in range(60)]

    assert len(set(job_ids)) == 60
    # The answer of the repeat was a promise, whatever became of the first call.
    assert {client.wait(job_id).state for job_id in job_ids} == {DONE}

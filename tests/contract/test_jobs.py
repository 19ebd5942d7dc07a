"""The life of a job that is left alone: every kind, its times, its output, its failure."""

from __future__ import annotations

import json

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.support import jobs
from tests.support.client import DONE, FAILED, Client


@pytest.mark.parametrize("sample", jobs.SAMPLES, ids=lambda sample: sample.name)
def test_a_job_of_every_kind_runs_to_its_output(client: Client, sample: jobs.Sample) -> None:
    status = client.run(sample.job)

    assert (status.kind, status.state) == (sample.job.kind, DONE), status
    result = client.result(status.job_id)
    assert result.state == DONE
    assert not result.HasField("failure")
    assert sample.is_output(result.output), result.output


def test_a_finished_job_says_all_about_itself(client: Client) -> None:
    job_id = client.submit(jobs.sleep(5))
    status = client.wait(job_id)

    assert (status.job_id, status.kind, status.state) == (job_id, "sleep", DONE)
    assert status.attempt == 1
    assert status.worker
    assert not status.cancel_requested
    assert not status.HasField("failure")
    _assert_times_are_ordered(status)


def test_a_job_that_fails_says_why_in_status_and_result(client: Client) -> None:
    status = client.run(jobs.fail("broken on purpose"))

    assert status.state == FAILED
    assert (status.failure.reason, status.failure.message) == ("ON_PURPOSE", "broken on purpose")
    _assert_times_are_ordered(status)
    result = client.result(status.job_id)
    assert (result.state, result.output) == (FAILED, b"")
    assert result.failure == status.failure


@pytest.mark.parametrize("job", [jobs.sleep(60_000, 0.05), jobs.spin(60_000, 0.05)], ids=str)
def test_a_job_that_exceeds_its_execution_timeout_fails(client: Client, job: pb.JobSpec) -> None:
    status = client.run(job)

    assert (status.state, status.failure.reason) == (FAILED, "EXECUTION_TIMEOUT")
    assert client.result(status.job_id).failure.reason == "EXECUTION_TIMEOUT"


def test_an_execution_timeout_that_is_not_exceeded_changes_nothing(client: Client) -> None:
    assert client.run(jobs.sleep(1, execution_timeout=60)).state == DONE


def test_a_slot_is_free_again_after_a_timeout(client: Client, slots: int) -> None:
    doomed = [client.submit(jobs.spin(60_000, 0.05)) for _ in range(slots)]
    assert {client.wait(job_id).state for job_id in doomed} == {FAILED}
    after = [client.submit(jobs.sleep(1)) for _ in range(slots)]
    assert {client.wait(job_id).state for job_id in after} == {DONE}


def test_ids_sort_by_creation(client: Client) -> None:
    job_ids = [client.submit(jobs.noop()) for _ in range(30)]

    assert job_ids == sorted(job_ids)
    assert len(set(job_ids)) == 30
    created = [client.status(job_id).create_time.ToNanoseconds() for job_id in job_ids]
    assert created == sorted(created)


def test_a_terminal_job_never_changes(client: Client) -> None:
    job_id = client.submit(jobs.sleep(1))
    first = client.wait(job_id), client.result(job_id)
    for _ in range(2 * len(client.endpoints)):
        assert (client.status(job_id), client.result(job_id)) == first


def test_every_endpoint_answers_for_every_job(client: Client) -> None:
    job_ids = [calls.submit(jobs.sleep(1)) for calls in client.at]
    for job_id in job_ids:
        expected = client.wait(job_id)
        assert expected.state == DONE
        for calls in client.at:
            assert calls.status(job_id) == expected
            assert calls.result(job_id).state == DONE
            assert calls.cancel(job_id) == expected


def test_many_jobs_at_once_all_finish(client: Client) -> None:
    job_ids = [client.submit(jobs.noop()) for _ in range(300)]
    assert {client.wait(job_id).state for job_id in job_ids} == {DONE}


@pytest.mark.slow
def test_many_large_jobs_at_once_all_finish(client: Client, slots: int) -> None:
    texts = [f"large {number} ".ljust(1 << 20, ".") for number in range(2 * slots)]
    job_ids = [client.submit(jobs.word_count(text)) for text in texts]
    for number, job_id in enumerate(job_ids):
        assert client.wait(job_id).state == DONE
        words = {each["word"] for each in json.loads(client.result(job_id).output)["top"]}
        assert words == {"large", str(number)}


def test_large_outputs_and_inputs_come_through_whole(client: Client) -> None:
    sample = jobs.large_sample()
    status = client.run(sample.job)
    assert status.state == DONE
    assert sample.is_output(client.result(status.job_id).output)


def _assert_times_are_ordered(status: pb.JobStatus) -> None:
    created = status.create_time.ToNanoseconds()
    started = status.start_time.ToNanoseconds()
    finished = status.finish_time.ToNanoseconds()
    assert 0 < created <= started <= finished

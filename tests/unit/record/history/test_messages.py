"""Messages of the contract, as a history holds them."""

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.record.history.messages import answer_of, asked_of, digest
from testbed.record.history.model import (
    Listed,
    Page,
    Result,
    Seen,
    Submitted,
)


def test_messages_become_what_the_model_holds() -> None:
    job = pb.JobSpec(kind="noop", payload=b"p")
    asked = asked_of(pb.SubmitJobRequest(job=job, request_id="r"))
    assert isinstance(asked, Submitted)
    assert (asked.kind, asked.request_id, len(asked.digest)) == ("noop", "r", 16)
    page = pb.ListJobsRequest(state=pb.JOB_STATE_DONE, kind="noop", page_size=5)
    assert asked_of(page, "s", 3) == Page("s", 3, "DONE", "noop", 5)
    assert asked_of(pb.CancelJobRequest(job_id="j")) == "j"
    status = pb.JobStatus(
        job_id="j", kind="noop", state=pb.JOB_STATE_FAILED, attempt=1, worker="w",
        failure=pb.JobFailure(reason="R", message="m"), cancel_requested=True,
    )  # fmt: skip
    status.create_time.FromMicroseconds(1)
    status.start_time.FromMicroseconds(2)
    seen = Seen("j", "noop", "FAILED", 1, "w", 1, 2, None, "R: m", True)
    assert answer_of(pb.GetJobStatusResponse(status=status)) == seen
    listed = pb.ListJobsResponse(jobs=[status], next_page_token="t")
    assert answer_of(listed) == Listed((seen,), more=True)
    result = pb.GetJobResultResponse(state=pb.JOB_STATE_DONE, output=b"out")
    assert answer_of(result) == Result("DONE", digest(b"out"))
    assert answer_of(pb.SubmitJobResponse(job_id="j")) == "j"


def test_digests_are_equal_exactly_for_equal_jobs() -> None:
    jobs = [
        pb.JobSpec(kind="a"),
        pb.JobSpec(kind="b"),
        pb.JobSpec(kind="a", payload=b"1"),
        pb.JobSpec(kind="a", execution_timeout={"seconds": 1}),
        pb.JobSpec(kind="a", execution_timeout={"seconds": -1, "nanos": 1}),
    ]

    def digest_of(job: pb.JobSpec) -> str:
        asked = asked_of(pb.SubmitJobRequest(job=job))
        assert isinstance(asked, Submitted)
        return asked.digest

    assert len({digest_of(job) for job in jobs}) == len(jobs)
    rounded = pb.JobSpec(kind="a", execution_timeout={"nanos": 999_999_999})
    assert digest_of(rounded) == digest_of(jobs[3])  # the contract's times are microseconds


def test_a_message_outside_the_contract_is_refused() -> None:
    with pytest.raises(TypeError):
        asked_of(pb.JobSpec())
    with pytest.raises(TypeError):
        answer_of(pb.JobSpec())

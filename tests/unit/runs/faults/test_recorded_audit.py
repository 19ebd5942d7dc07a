"""The audit of a fault run, against a real server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1 import task_queue_service_pb2_grpc as pb_grpc
from testbed.record.history import files
from testbed.record.history.model import CallOutcome, Listed, Page, Result, Seen
from testbed.record.history.writer import HistoryWriter
from testbed.runs.faults import recorded_audit as audit_of_faults
from testbed.runs.faults.recorded_audit import ATTEMPTS, CLIENT, recorded_audit
from tests.support import inprocess, jobs
from tests.support.client import Client


@pytest.fixture
def endpoint() -> Iterator[str]:
    with inprocess.serving(slots=4) as served:
        yield served


@pytest.fixture
def client(endpoint: str) -> Iterator[Client]:
    made = Client([endpoint])
    yield made
    made.close()


def test_status_and_result_of_every_job_are_asked_for_and_recorded(
    endpoint: str, client: Client, tmp_path: Path
) -> None:
    accepted = [client.submit(jobs.sleep(20)) for _ in range(12)]
    writer = HistoryWriter(tmp_path / "history-audit.jsonl", "a")

    found = recorded_audit([endpoint], accepted[:-1], 30, writer)
    writer.close()

    rows = found.jobs
    assert found.problem == ""
    assert [row.job_id for row in rows] == sorted(accepted)
    assert {row.state for row in rows} == {"DONE"}, "it waits until they have ended"
    assert [row.job_id for row in rows if not row.accepted] == [accepted[-1]]
    history = files.read(tmp_path)
    assert {each.client for each in history.operations} == {CLIENT}
    asked = Counter((each.call, str(each.asked)) for each in history.operations)
    for job_id in accepted:
        assert asked["GetJobStatus", job_id] == asked["GetJobResult", job_id] == 1
    kinds = {type(each.answer) for each in history.operations if each.outcome is CallOutcome.OK}
    assert kinds == {Seen, Result, Listed}
    (whole,) = [
        each
        for each in history.operations
        if isinstance(each.asked, Page) and each.asked.scan and isinstance(each.answer, Listed)
    ]
    assert isinstance(whole.answer, Listed)
    assert {each.job_id for each in whole.answer.jobs} == set(accepted)


def test_a_job_that_is_unknown_has_a_problem_and_a_definite_answer(
    endpoint: str, client: Client, tmp_path: Path
) -> None:
    unknown = client.submit(jobs.noop())[:-1] + "0"
    writer = HistoryWriter(tmp_path / "history-audit.jsonl", "a")

    rows = {row.job_id: row for row in recorded_audit([endpoint], [unknown], 30, writer).jobs}
    writer.close()

    assert rows[unknown].state in {"", "MISSING"}
    assert rows[unknown].problem
    answers = [each for each in files.read(tmp_path).operations if each.asked == unknown]
    assert [each.outcome for each in answers] == [CallOutcome.FAIL] * 2


def test_jobs_that_do_not_end_are_looked_up_as_they_are_and_are_a_problem(
    endpoint: str, client: Client, tmp_path: Path
) -> None:
    job_id = client.submit(jobs.sleep(600_000))
    writer = HistoryWriter(tmp_path / "history-audit.jsonl", "a")

    found = recorded_audit([endpoint], [], 0.1, writer)
    writer.close()

    (row,) = found.jobs
    assert row.state in {"QUEUED", "RUNNING"}
    assert f"running 0.1 s after the load: 1, the first is {job_id}" in found.problem
    client.cancel(job_id)


def test_endpoints_out_of_reach_are_asked_again_and_leave_indefinite_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_of_faults, "PAUSE", 0.01)
    writer = HistoryWriter(tmp_path / "history-audit.jsonl", "a")

    found = recorded_audit(["127.0.0.1:1"], ["0000000000000000"], 0.0, writer)
    writer.close()

    (row,) = found.jobs
    assert "the jobs could not be listed after the drive: UNAVAILABLE" in found.unlisted
    assert "UNAVAILABLE" in row.problem
    operations = files.read(tmp_path).operations
    assert {each.outcome for each in operations} == {CallOutcome.INDEFINITE}
    assert Counter(each.call for each in operations)["GetJobStatus"] > 1


class _ListsLater(pb_grpc.TaskQueueServiceServicer):
    """Has two jobs that are done, and lists them once it has refused so many times."""

    def __init__(self, refusals: int) -> None:
        self._refusals = refusals

    async def ListJobs(self, request: Any, context: Any) -> pb.ListJobsResponse:  # noqa: N802
        if self._refusals:
            self._refusals -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        done = [] if request.state else [_done("0000000000000002"), _done("0000000000000001")]
        return pb.ListJobsResponse(jobs=done)

    async def GetJobStatus(self, request: Any, context: Any) -> pb.GetJobStatusResponse:  # noqa: N802
        return pb.GetJobStatusResponse(status=_done(request.job_id))

    async def GetJobResult(self, request: Any, context: Any) -> pb.GetJobResultResponse:  # noqa: N802
        return pb.GetJobResultResponse(state=pb.JOB_STATE_DONE)


def _done(job_id: str) -> pb.JobStatus:
    return pb.JobStatus(job_id=job_id, state=pb.JOB_STATE_DONE, attempt=1)


async def test_a_listing_that_fails_is_begun_anew_and_what_only_it_shows_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_of_faults, "PAUSE", 0.01)
    server = grpc.aio.server()
    pb_grpc.add_TaskQueueServiceServicer_to_server(_ListsLater(ATTEMPTS), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    writer = HistoryWriter(tmp_path / "history-audit.jsonl", "a")

    found = await asyncio.to_thread(
        recorded_audit, [f"127.0.0.1:{port}"], ["0000000000000001"], 30, writer
    )
    writer.close()
    await server.stop(None)

    assert found.problem == ""
    assert [(row.job_id, row.accepted) for row in found.jobs] == [
        ("0000000000000001", True),
        ("0000000000000002", False),
    ]
    operations = files.read(tmp_path).operations
    calls = Counter((each.call, str(each.asked)) for each in operations)
    for row in found.jobs:
        assert calls["GetJobStatus", row.job_id] == calls["GetJobResult", row.job_id] == 1
    assert [each.outcome for each in operations].count(CallOutcome.INDEFINITE) == ATTEMPTS

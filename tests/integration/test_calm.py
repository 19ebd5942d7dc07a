"""Nothing is disturbed and few clients call: every job runs once, cancels are obeyed at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.check import Verdict, check
from testbed.check.observations import AUDIT
from testbed.record.history.files import read
from testbed.record.history.messages import answer_of, asked_of
from testbed.record.history.model import IDS_BY_HOME
from testbed.record.history.writer import HistoryWriter
from tests.support import jobs
from tests.support.client import RUNNING, TERMINAL, Client
from tests.support.stacks import Stack
from tests.support.waiting import eventually

CLIENTS = 3
JOBS = 10
LONG_MS = 60_000


class _Recorded:
    """Calls a stack under one name; every call goes into the history."""

    def __init__(self, name: str, client: Client, writer: HistoryWriter) -> None:
        self._name = name
        self._client = client
        self._writer = writer

    def call(self, method: str, request: Any) -> Any:
        called = self._writer.invoke(self._name, "stack", method, asked_of(request))
        reply = getattr(self._client.stub, method)(request, timeout=15)
        self._writer.ok(called, answer_of(reply))
        return reply

    def submit(self, job: pb.JobSpec) -> str:
        return str(self.call("SubmitJob", pb.SubmitJobRequest(job=job)).job_id)

    def status(self, job_id: str) -> Any:
        return self.call("GetJobStatus", pb.GetJobStatusRequest(job_id=job_id)).status

    def ends(self, job_id: str) -> None:
        eventually(lambda: self.status(job_id).state in TERMINAL, what="the end of a job")
        self.call("GetJobResult", pb.GetJobResultRequest(job_id=job_id))


def _use(calls: _Recorded, number: int, accepted: list[str]) -> None:
    """Submit jobs of which no two have the same output, and wait for the result of each."""
    for place in range(JOBS):
        text = f"client {number} job {place} " + "word " * (number * JOBS + place)
        job = jobs.word_count(text) if place % 5 == 0 else jobs.sleep(20 + number + place / 100)
        accepted.append(calls.submit(job))
        calls.ends(accepted[-1])


def _cancel_beside_another(calls: _Recorded, accepted: list[str]) -> None:
    """Cancel one of two jobs that run: it ends, and the other one does not mind."""
    canceled, other = (calls.submit(jobs.sleep(LONG_MS)) for _ in range(2))
    accepted += [canceled, other]
    for job_id in (canceled, other):
        eventually(lambda job_id=job_id: calls.status(job_id).state == RUNNING, what="a start")
    calls.call("CancelJob", pb.CancelJobRequest(job_id=canceled))
    eventually(
        lambda: calls.status(canceled).state in TERMINAL or calls.status(other).attempt > 1,
        what="the end of a canceled job",
    )
    calls.call("CancelJob", pb.CancelJobRequest(job_id=other))


def _verdict_of_calm_use(stack: Stack, folder: Path, ends: bool = True) -> Verdict:
    """Use a stack and judge what was seen; ``ends`` says whether all jobs can be waited for."""
    accepted: list[str] = []
    client = stack.client()
    writer = HistoryWriter(folder / "history.jsonl", stack.design, IDS_BY_HOME)
    with ThreadPoolExecutor(CLIENTS) as threads:
        users = [
            threads.submit(
                _use, _Recorded(f"user-{number}", stack.client(), writer), number, accepted
            )
            for number in range(CLIENTS)
        ]
        _cancel_beside_another(_Recorded("canceler", client, writer), accepted)
        for user in users:
            user.result()
    audit = _Recorded(AUDIT, client, writer)
    for job_id in accepted:
        if ends:
            audit.ends(job_id)
        else:
            audit.status(job_id)
    writer.close()
    return check(read(folder), calm=True)


@pytest.mark.parametrize("design", ["a", "b"])
def test_every_job_runs_once_and_a_cancel_reaches_its_job(
    request: pytest.FixtureRequest, tmp_path: Path, design: str
) -> None:
    stack = request.getfixturevalue(f"stack_{design}")
    verdict = _verdict_of_calm_use(stack, tmp_path)
    assert verdict.violations == ()
    assert verdict.counts["accepted"] == CLIENTS * JOBS + 2
    assert {"calm-once", "calm-cancel"} <= verdict.found.keys()


def test_answers_in_another_order_are_noticed_though_nothing_is_disturbed(
    start_stack: Any, tmp_path: Path
) -> None:
    stack = start_stack("a", mutant="answers_in_another_order")

    def noticed(name: str) -> int:
        folder = tmp_path / name
        folder.mkdir()
        return _verdict_of_calm_use(stack, folder, ends=False).found["calm-once"]

    # Only where several wait for one call is there an order; that is left to chance.
    assert any(map(noticed, ("first", "second", "third", "fourth")))

"""A mutant runs as real processes too, and is caught from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.check import check
from testbed.record.history.files import read
from testbed.record.history.messages import answer_of, asked_of
from testbed.record.history.model import IDS_BY_HOME
from testbed.record.history.writer import HistoryWriter
from tests.support import jobs
from tests.support.stacks import running

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("mutant", "accused"), [("", False), ("page_token_off_by_one", True)])
def test_listing_of_real_processes_is_accused_only_with_the_mutant(
    tmp_path: Path, mutant: str, accused: bool
) -> None:
    writer = HistoryWriter(tmp_path / "history.jsonl", "a", IDS_BY_HOME)
    with running("a", tmp_path, mutant=mutant) as stack:
        stub = stack.client().stub

        def call(method: str, request: object, scan: str = "", number: int = 0) -> object:
            called = writer.invoke("test", "gateway", method, asked_of(request, scan, number))
            reply = getattr(stub, method)(request, timeout=15)
            writer.ok(called, answer_of(reply))
            return reply

        for _ in range(5):
            call("SubmitJob", pb.SubmitJobRequest(job=jobs.noop()))
        token = ""
        for number in range(9):
            request = pb.ListJobsRequest(page_size=2, page_token=token)
            token = call("ListJobs", request, "scan", number).next_page_token
            if not token:
                break
    writer.close()
    verdict = check(read(tmp_path))
    assert bool(verdict.found["list"]) is accused
    assert (not verdict.clean) is accused

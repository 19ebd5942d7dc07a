"""With a retention a stack holds what came of late, however long it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.support import jobs
from tests.support.stacks import Stack, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

ROUNDS, EACH = 4, 150
RETENTION = 2.0
WITHIN = 60.0


@pytest.mark.parametrize("design", ["a", "b"])
def test_what_a_stack_holds_does_not_grow_with_what_has_passed_through_it(
    design: str, tmp_path: Path
) -> None:
    with running(design, tmp_path, retention=RETENTION) as stack:
        stub = stack.client().stub
        forgotten: list[str] = []
        for number in range(ROUNDS):
            request_id = "the same in each round"
            first = stub.SubmitJob(
                pb.SubmitJobRequest(job=jobs.noop(), request_id=request_id), timeout=15
            ).job_id
            assert first not in forgotten
            for _ in range(EACH - 1):
                stub.SubmitJob(pb.SubmitJobRequest(job=jobs.noop()), timeout=15)
            assert held(stack) <= EACH, f"in round {number}"

            def nothing_left() -> bool:
                # Owners forget when they are asked something.
                return not stub.ListJobs(pb.ListJobsRequest(), timeout=15).jobs

            eventually(nothing_left, within=WITHIN, what="the list is empty")
            assert held(stack) == 0
            forgotten.append(first)


def held(stack: Stack) -> int:
    """How many jobs all owners report to hold."""
    return sum(
        int(sample.value)
        for process in stack.names
        if stack.topology.process(process).metrics_port
        for family in text_string_to_metric_families(stack.metrics(process))
        for sample in family.samples
        if sample.name == "taskqueue_jobs"
    )

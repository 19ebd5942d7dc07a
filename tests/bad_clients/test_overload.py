"""More calls, jobs and answers than a process takes: refused at once, with a reason, for certain.

The order of events shows that a refusal is early: it comes while the calls that were admitted
before it still wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from common.config import Settings
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.bad_clients.conftest import StackMaker
from tests.support import jobs
from tests.support.abuse import (
    MIB,
    address_of_entry,
    assert_no_defects,
    assert_serves,
    calls_in_flight,
    entry_of,
    memory_of,
    metric_of,
    wait_until_idle,
)
from tests.support.client import DONE, RUNNING, Rejection, read_error, rejection_of
from tests.support.http2 import LIST, Connection
from tests.support.stacks import Stack, health_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

# Whom the entry has to ask for the jobs of the test.
BEHIND = {"a": "job", "b": "node-1"}
LIMIT = 64


@contextmanager
def _paused(stack: Stack) -> Iterator[None]:
    """Stop the process behind the entry, so that calls wait, until the end of the block."""
    process = stack.process(BEHIND[stack.design])
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def _job_behind(stack: Stack) -> str:
    """Run a job whose owner is the process behind the entry."""
    return stack.client(BEHIND["b"] if stack.design == "b" else "gateway").run(jobs.noop()).job_id


def _waiting(stack: Stack, job_id: str, number: int) -> list[grpc.Future]:
    stub = stack.client(entry_of(stack)).stubs[0]
    request = pb.GetJobStatusRequest(job_id=job_id)
    futures = [stub.GetJobStatus.future(request, timeout=60) for _ in range(number)]
    eventually(lambda: calls_in_flight(stack), lambda found: found >= number, 30, "calls that wait")
    return futures


@pytest.mark.parametrize("design", ["a", "b"])
def test_calls_over_the_limit_are_refused_while_the_admitted_ones_wait(
    start_stack: StackMaker, design: str
) -> None:
    stack = start_stack(design, max_concurrent_calls=LIMIT)
    job_id = _job_behind(stack)
    known = {job.job_id for job in stack.client().all_jobs()}
    good = stack.client(entry_of(stack))
    with _paused(stack):
        admitted = _waiting(stack, job_id, LIMIT)
        refused = [rejection_of(lambda: good.submit(jobs.noop())) for _ in range(200)]

        assert not any(call.done() for call in admitted), "refusals come before earlier answers"
        _assert_overloaded(refused)
        # Whoever watches still sees that the process lives, and what it does.
        assert health_of(address_of_entry(stack)) == "SERVING"
        assert calls_in_flight(stack) == LIMIT
    assert {call.result().status.state for call in admitted} == {DONE}
    metric = 'taskqueue_calls_refused_total{reason="OVERLOADED"}'
    assert metric_of(stack, entry_of(stack), metric) == 200
    assert {job.job_id for job in good.all_jobs()} == known
    assert_serves(stack)
    assert_no_defects(stack)


def _assert_overloaded(refused: list[Rejection]) -> None:
    assert {(each.code, each.reason) for each in refused} == {("RESOURCE_EXHAUSTED", "OVERLOADED")}
    assert {each.domain for each in refused} == {"taskqueue"}
    assert {each.metadata["outcome"] for each in refused} == {"definite"}


@pytest.mark.slow
@pytest.mark.parametrize("design", ["a", "b"])
def test_the_default_limit_holds_and_memory_is_given_back(
    start_stack: StackMaker, design: str
) -> None:
    stack = start_stack(design)
    job_id = _job_behind(stack)
    request = pb.GetJobStatusRequest(job_id=job_id)
    memory = []
    for _ in range(2):
        with _paused(stack):
            admitted = _waiting(stack, job_id, Settings.max_concurrent_calls)
            stub = stack.client(entry_of(stack)).stubs[0]
            refused = [
                rejection_of(lambda stub=stub: stub.GetJobStatus(request, timeout=30))
                for _ in range(100)
            ]
            _assert_overloaded(refused)
            assert not any(call.done() for call in admitted)
            assert health_of(address_of_entry(stack)) == "SERVING"
        assert {call.result().status.state for call in admitted} == {DONE}
        wait_until_idle(stack)
        memory.append(memory_of(stack, entry_of(stack)))
    assert memory[1] - memory[0] < 48 * MIB
    assert_serves(stack)


@pytest.mark.parametrize("design", ["a", "b"])
def test_a_flood_of_submits_fills_the_queue_exactly(start_stack: StackMaker, design: str) -> None:
    slots = {"a": 6, "b": 1}[design]
    stack = start_stack(design, slots=6, max_queued_jobs=slots + 20)
    client = stack.client(entry_of(stack))
    running = [client.submit(jobs.sleep(600_000)) for _ in range(slots)]
    for job_id in running:
        client.wait(job_id, RUNNING)

    def submit(_: int) -> str | Rejection:
        try:
            return client.submit(jobs.noop())
        except grpc.RpcError as error:
            return read_error(error)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(submit, range(400)))

    accepted = [answer for answer in answers if isinstance(answer, str)]
    refused = [answer for answer in answers if isinstance(answer, Rejection)]
    assert len(accepted) == 20
    assert {(each.code, each.reason) for each in refused} == {("RESOURCE_EXHAUSTED", "QUEUE_FULL")}
    assert {each.metadata["outcome"] for each in refused} == {"definite"}
    assert {job.job_id for job in client.all_jobs()} == {*running, *accepted}
    for job_id in running:
        client.cancel(job_id)
    assert {client.wait(job_id).state for job_id in accepted} == {DONE}


@pytest.mark.parametrize("design", ["a", "b"])
def test_answers_that_nobody_reads_are_bounded(start_stack: StackMaker, design: str) -> None:
    limit = 2 * MIB
    stack = start_stack(design, max_unread_bytes=limit)
    entry = entry_of(stack)
    client = stack.client(entry)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.submit(jobs.noop()), range(600)))
    request = pb.ListJobsRequest(page_size=1000).SerializeToString()
    page = client.list(page_size=1000).ByteSize()
    refusals = 'taskqueue_calls_refused_total{reason="OVERLOADED"}'
    share = limit // 4 // page
    memory = []
    for number in range(1, 3):
        readers = [Connection(address_of_entry(stack), window=0) for _ in range(3)]
        for reader in readers:
            for call in range(30):
                reader.call(2 * call + 1, LIST, request)
        # Each connection fills its share, and not more; what came after is refused.
        wanted = number * 3 * (30 - share)
        eventually(
            lambda: metric_of(stack, entry, refusals),
            lambda seen, w=wanted: seen >= w,
            60,
            "refusals",
        )
        assert 0 < metric_of(stack, entry, "taskqueue_unread_bytes") <= limit
        # Others are served, lists included.
        assert len(client.list(page_size=1000).jobs) >= 600
        for reader in readers:
            reader.socket.close()
        wait_until_idle(stack)
        assert metric_of(stack, entry, "taskqueue_unread_bytes") == 0
        memory.append(memory_of(stack, entry))
    assert memory[1] - memory[0] < 16 * MIB
    assert_serves(stack)
    assert_no_defects(stack)

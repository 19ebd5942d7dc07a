"""What every process has: metrics, health, errors with reasons, an announced stop."""

from __future__ import annotations

import asyncio
import gc
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from common.config import ConfigError, Settings
from common.domain.errors import DeadlineAlreadyPast, TaskQueueError
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.rpc import callers, connect, status
from common.rpc.interceptors import CallInterceptor
from common.rpc.process import Process
from design_b.node import assemble
from tests.support.waiting import eventually_async as eventually

SUBMIT = "/taskqueue.v1.TaskQueueService/SubmitJob"


def settings(**changes: Any) -> Settings:
    given = {"name": "node-0", "listen": "127.0.0.1:0", "metrics": "127.0.0.1:0", "slots": 1}
    return Settings(**{**given, **changes})


async def started() -> Process:
    """Start a node in this process, for somebody to stop."""
    process = Process(settings())
    assemble(process)
    await process.start()
    return process


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    """A node in this process."""
    node = await started()
    yield node
    await node.stop()


@pytest.fixture
async def channel(process: Process) -> AsyncIterator[grpc.aio.Channel]:
    """A client's end of a connection to the node."""
    async with connect.aio_channel(f"127.0.0.1:{process.port}") as opened:
        yield opened


def sample(process: Process, name: str, **labels: str) -> float | None:
    return process.registry.get_sample_value(name, labels)


def handled(process: Process, method: str, code: str) -> float | None:
    return sample(
        process,
        "grpc_server_handled_total",
        grpc_type="unary",
        grpc_service=callers.PUBLIC_SERVICE,
        grpc_method=method,
        grpc_code=code,
    )


async def test_calls_are_counted_and_timed_by_method_and_code(
    process: Process, channel: grpc.aio.Channel
) -> None:
    stub = TaskQueueServiceStub(channel)
    assert handled(process, "SubmitJob", "OK") == 0
    await stub.SubmitJob(pb.SubmitJobRequest(job=pb.JobSpec(kind="noop")), timeout=5)
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.SubmitJob(pb.SubmitJobRequest(), timeout=5)
    # A call is counted once it is over, which its client may know earlier.
    await eventually(lambda: handled(process, "SubmitJob", "INVALID_ARGUMENT"))
    assert handled(process, "SubmitJob", "OK") == 1
    assert handled(process, "SubmitJob", "INVALID_ARGUMENT") == 1
    labels = {
        "grpc_type": "unary",
        "grpc_service": callers.PUBLIC_SERVICE,
        "grpc_method": "SubmitJob",
    }
    assert sample(process, "grpc_server_started_total", **labels) == 2
    assert sample(process, "grpc_server_handling_seconds_count", **labels) == 2
    assert sample(process, "grpc_server_msg_sent_total", **labels) == 1


async def test_bytes_are_counted_by_method_and_caller(
    process: Process, channel: grpc.aio.Channel
) -> None:
    stub = TaskQueueServiceStub(channel)
    request = pb.SubmitJobRequest(job=pb.JobSpec(kind="noop", payload=b"x" * 1000))
    answers = [await stub.SubmitJob(request, timeout=5) for _ in range(2)]
    # One that fails has been received, and no message is its answer.
    refused = pb.SubmitJobRequest(job=pb.JobSpec(payload=b"x" * 30))
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.SubmitJob(refused, timeout=5)
    await eventually(lambda: handled(process, "SubmitJob", "INVALID_ARGUMENT"))
    labels = {
        "grpc_service": callers.PUBLIC_SERVICE,
        "grpc_method": "SubmitJob",
        "caller": callers.CLIENT,
    }
    received = 2 * request.ByteSize() + refused.ByteSize()
    assert sample(process, "taskqueue_received_bytes_total", **labels) == received
    sent = sum(answer.ByteSize() for answer in answers)
    assert sample(process, "taskqueue_sent_bytes_total", **labels) == sent


async def test_context_of_an_answered_call_is_not_left_to_the_collector_of_cycles(
    process: Process, channel: grpc.aio.Channel
) -> None:
    stub = TaskQueueServiceStub(channel)
    accepted = await stub.SubmitJob(pb.SubmitJobRequest(job=pb.JobSpec(kind="noop")), timeout=5)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(10):
            await stub.GetJobStatus(pb.GetJobStatusRequest(job_id=accepted.job_id), timeout=5)
        await eventually(lambda: sample(process, "taskqueue_calls_in_flight") == 0)
        gc.collect()
        found = {type(each).__name__ for each in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    # gRPC leaves some of its own.
    assert found
    assert "_ServicerContext" not in found


async def test_errors_carry_reason_field_and_outcome(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await TaskQueueServiceStub(channel).SubmitJob(pb.SubmitJobRequest(), timeout=5)
    info = status.error_info(caught.value)
    assert info is not None
    assert (info.reason, info.domain) == ("INVALID_FIELD", "taskqueue")
    assert dict(info.metadata) == {"field": "job.kind", "outcome": "definite"}


async def test_metrics_port_serves_what_the_registry_holds(process: Process) -> None:
    port = process._metrics.server_port
    url = f"http://127.0.0.1:{port}/metrics"
    page = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read())
    for name in (b"taskqueue_jobs{", b"taskqueue_queue_depth", b"process_cpu_seconds_total"):
        assert name in page


async def test_health_turns_off_before_the_server_does() -> None:
    process = await started()
    seen: list[int] = []
    async with connect.aio_channel(f"127.0.0.1:{process.port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)

        async def observe() -> None:
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=5)
            seen.append(answer.status)

        await observe()
        process.before_stop(observe)
        await process.stop()
    response = health_pb2.HealthCheckResponse
    assert seen == [response.SERVING, response.NOT_SERVING]


async def test_process_that_stops_takes_no_new_job_but_answers_for_old_ones() -> None:
    process = await started()
    async with connect.aio_channel(f"127.0.0.1:{process.port}") as channel:
        stub = TaskQueueServiceStub(channel)
        request = pb.SubmitJobRequest(job=pb.JobSpec(kind="noop"))
        accepted = await stub.SubmitJob(request, timeout=5)
        reported: list[str] = []

        async def call_meanwhile() -> None:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.SubmitJob(request, timeout=5)
            info = status.error_info(caught.value)
            assert info is not None
            reported.extend([caught.value.code().name, info.reason, info.metadata["outcome"]])
            await stub.GetJobStatus(pb.GetJobStatusRequest(job_id=accepted.job_id), timeout=5)

        process.before_stop(call_meanwhile)
        await process.stop()
        assert reported == ["UNAVAILABLE", "STOPPING", "definite"]


class PastContext:
    """A call that arrives after its deadline."""

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def time_remaining(self) -> float:
        return -0.001

    async def abort_with_status(self, answer: grpc.Status) -> None:
        raise Aborted(answer)


class Aborted(Exception):
    """The status that a call was aborted with."""


async def test_call_after_its_deadline_is_not_begun() -> None:
    begun: list[object] = []

    async def method(request: object, context: object) -> None:
        begun.append(request)

    interceptor = CallInterceptor(default_deadline=30)
    with pytest.raises(Aborted) as caught:
        await interceptor.intercept(method, "request", PastContext(), SUBMIT)
    assert caught.value.args[0].code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert DeadlineAlreadyPast().message == caught.value.args[0].details
    assert begun == []


async def test_defect_is_answered_as_internal_and_indefinite(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Context(PastContext):
        def time_remaining(self) -> None:  # type: ignore[override]
            return None

    async def method(request: object, context: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(Aborted) as caught:
        await CallInterceptor(30).intercept(method, "request", Context(), SUBMIT)
    assert caught.value.args[0].code is grpc.StatusCode.INTERNAL
    assert not TaskQueueError("x").definite
    assert "met a defect" in caplog.text


@pytest.mark.parametrize("content", [b"", b"too-short", b"two words of a secret", b"\xff" * 40])
def test_file_that_holds_no_secret_is_refused_and_not_quoted(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="TASKQUEUE_SECRET_FILE=") as caught:
        settings(secret_file=str(file)).read_secret()
    assert not content or content.decode("latin-1") not in str(caught.value)


def test_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigError, match="TASKQUEUE_SECRET_FILE=") as caught:
            settings(secret_file=str(path)).read_secret()
        assert str(path) in str(caught.value)

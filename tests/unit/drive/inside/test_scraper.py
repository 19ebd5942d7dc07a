from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

from common import context
from common.config import Settings
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.rpc import connect
from common.rpc.process import Process
from design_b.node import assemble
from testbed.drive.scraper import Scraper
from testbed.record.calls import Window
from testbed.record.metrics import read_metrics
from testbed.stack.runtimes import secret
from tests.support.ports import free_port

EVER = Window(0, 1e12)


def node(number: int, secret_file: Path, port: int = 0, **peers: str) -> Process:
    settings = Settings(
        name=f"node-{number}",
        listen=f"127.0.0.1:{port}",
        metrics="127.0.0.1:0",
        peers=peers,
        secret_file=str(secret_file),
    )
    process = Process(settings)
    assemble(process)
    return process


async def drive(folder: Path) -> None:
    """Two nodes; the second forwards to the first. A third address answers nothing."""
    shared = folder / "private" / "secret"
    secret.make(shared)
    port = free_port()
    home = node(0, shared, **{"node-1": f"127.0.0.1:{port}"})
    await home.start()
    entry = node(1, shared, port, **{"node-0": f"127.0.0.1:{home.port}"})
    await entry.start()
    addresses = {
        "node-0": f"127.0.0.1:{home._metrics.server_port}",
        "node-1": f"127.0.0.1:{entry._metrics.server_port}",
        "silent": f"127.0.0.1:{free_port()}",
    }
    scraper = Scraper(folder, addresses, interval=3600)
    await asyncio.to_thread(scraper.__enter__)
    try:
        await calls(home, entry)
    finally:
        await asyncio.to_thread(scraper.__exit__)
        await entry.stop()
        await home.stop()


async def calls(home: Process, entry: Process) -> None:
    """Submit to the first node four times, and ask the second three times for one of the jobs."""
    async with (
        connect.aio_channel(f"127.0.0.1:{home.port}") as first,
        connect.aio_channel(f"127.0.0.1:{entry.port}") as second,
    ):
        request = pb.SubmitJobRequest(job=pb.JobSpec(kind="noop"))
        for _ in range(4):
            reply = await TaskQueueServiceStub(first).SubmitJob(request, timeout=5)
        status = pb.GetJobStatusRequest(job_id=reply.job_id)
        for _ in range(3):
            await TaskQueueServiceStub(second).GetJobStatus(status, timeout=5)
        unfinished = pb.GetJobResultRequest(job_id=reply.job_id)
        with pytest.raises(grpc.aio.AioRpcError):
            await TaskQueueServiceStub(second).GetJobResult(unfinished, timeout=5)


async def test_scrapes_of_real_processes_count_every_call_and_hop(tmp_path: Path) -> None:
    await drive(tmp_path)
    metrics = read_metrics(tmp_path)

    def handled(process: str, method: str, **labels: str) -> float:
        wanted = {"grpc_method": method, **labels}
        return metrics.increase(process, "taskqueue_handling_seconds_count", wanted, EVER)

    assert handled("node-0", "SubmitJob", caller="client") == 4
    assert handled("node-0", "GetJobStatus", caller="client") == 0
    assert handled("node-0", "GetJobStatus", caller="node") == 3
    assert handled("node-1", "GetJobStatus", caller="client") == 3
    hop = {"within": "GetJobStatus", "peer": "node", "grpc_method": "GetJobStatus"}
    waits = metrics.histogram("node-1", "grpc_client_handling_seconds", hop, EVER)
    assert waits is not None
    assert waits.count == 3
    ended = {"within": "GetJobResult", "grpc_code": "FAILED_PRECONDITION"}
    assert metrics.increase("node-1", "grpc_client_handled_total", ended, EVER) == 1
    # What the entry waited is what its calls took, and it answers later than it was answered.
    status = {"grpc_method": "GetJobStatus", "caller": "client"}
    waited = metrics.increase("node-1", "taskqueue_waiting_seconds_total", status, EVER)
    handling = metrics.increase("node-1", "taskqueue_handling_seconds_sum", status, EVER)
    assert waited == pytest.approx(waits.sum)
    assert 0 < waited < handling


def test_process_that_does_not_answer_is_recorded_as_that(tmp_path: Path) -> None:
    with Scraper(tmp_path, {"silent": f"127.0.0.1:{free_port()}"}, interval=3600):
        pass
    metrics = read_metrics(tmp_path)
    assert metrics.unanswered(EVER) == {"silent": 2}
    (_, reason), _ = metrics.by_process["silent"].failures
    assert "refused" in reason
    assert metrics.scraper_cpu_seconds is not None
    assert not metrics


def test_parallel_waits_count_once_and_later_work_waits_for_nobody() -> None:
    handling = context.Handling("ListJobs")
    handling.wait_begins(1.0)
    handling.wait_begins(2.0)
    handling.wait_ends(4.0)
    handling.wait_ends(5.0)
    handling.wait_begins(7.0)
    handling.wait_ends(7.5)
    assert handling.waited == 4.5


def test_waiting_for_the_store_is_a_part_of_waiting() -> None:
    handling = context.Handling("GetJobStatus")
    token = context.handle(handling)
    with context.asking_store():
        pass
    context.unhandle(token)
    with context.asking_store():
        pass
    assert 0 < handling.stored == pytest.approx(handling.waited)
    before = handling.stored
    handling.wait_begins(1.0)
    handling.wait_ends(2.0)
    assert handling.stored == before

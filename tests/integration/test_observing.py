"""What a running stack shows of itself: logs, and what it costs while nothing happens."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.integration.conftest import StackMaker
from tests.support import jobs
from tests.support.client import DONE, pb
from tests.support.stacks import Stack
from tests.support.waiting import eventually

PASSES = {"a": ["gateway", "job", "queue", "coordinator", "worker"], "b": ["node-3"]}


@pytest.mark.parametrize("design", ["a", "b"])
def test_every_log_line_is_one_json_object_and_the_correlation_id_passes_every_hop(
    start_stack: StackMaker, design: str, unique: str
) -> None:
    stack = start_stack(design, log_level="DEBUG")
    entry = stack.client("gateway" if design == "a" else "node-3")
    job_id = entry.submit(jobs.sleep(1), metadata=[("x-correlation-id", unique)])
    assert entry.wait(job_id).state == DONE

    for name in PASSES[design]:
        mine = eventually(
            lambda name=name: [line for line in stack.log(name) if _is_of(line, unique)],
            what=f"a line of {name} with the correlation id of the submit",
        )
        assert all(line["process"] == name for line in mine)
    for name in stack.names:
        for line in stack.log(name):
            assert {"time", "level", "logger", "message", "process"} <= line.keys()
    assert any(line.get("job_id") == job_id for name in PASSES[design] for line in stack.log(name))


def test_a_call_for_a_result_keeps_its_correlation_id(start_stack: StackMaker, unique: str) -> None:
    stack = start_stack("a", log_level="DEBUG")
    client = stack.client()
    job_id = client.run(jobs.sleep(1)).job_id
    request = pb.GetJobResultRequest(job_id=job_id)

    client.stub.GetJobResult(request, timeout=10, metadata=[("x-correlation-id", unique)])

    for name in ("gateway", "job", "result"):
        eventually(
            lambda name=name: [line for line in stack.log(name) if _is_of(line, unique)],
            what=f"a line of {name} with the correlation id of the call",
        )
    assert not [line for line in stack.log("queue") if _is_of(line, unique)]


def _is_of(line: dict[str, object], correlation_id: str) -> bool:
    return line.get("correlation_id") == correlation_id


def test_a_forwarded_call_keeps_its_correlation_id(start_stack: StackMaker, unique: str) -> None:
    stack = start_stack("b", log_level="DEBUG")
    client = stack.client()
    job_id = client.at[1].submit(jobs.noop())
    request = pb.GetJobStatusRequest(job_id=job_id)

    client.stubs[5].GetJobStatus(request, timeout=10, metadata=[("x-correlation-id", unique)])

    for name in ("node-1", "node-5"):
        eventually(
            lambda name=name: [line for line in stack.log(name) if _is_of(line, unique)],
            what=f"a line of {name} with the correlation id of the call",
        )
    assert not [line for line in stack.log("node-0") if _is_of(line, unique)]


@pytest.mark.slow
@pytest.mark.parametrize("design", ["a", "b"])
def test_an_idle_stack_uses_next_to_no_cpu(
    start_stack: StackMaker, design: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = start_stack(design)
    client = stack.client()
    for job_id in [client.submit(job) for job in (jobs.sleep(1), jobs.spin(1)) * 6]:
        client.wait(job_id)
    eventually(lambda: not _busy_children(stack), within=60, what="the end of idle processes")

    seconds = 10.0
    before, began = _cpu_seconds(stack), time.monotonic()
    time.sleep(seconds)  # The measurement itself: nothing is waited for.
    share = 100 * (_cpu_seconds(stack) - before) / (time.monotonic() - began)

    with capsys.disabled():
        print(f"\nidle stack of design {design}: {share:.2f} % of a core, all processes together")  # noqa: T201
    assert share < 15


def _busy_children(stack: Stack) -> list[psutil.Process]:
    """Processes for CPU work; the two that multiprocessing keeps to start them do not count."""
    return [
        process
        for name in stack.names
        for child in stack.process(name).children()
        for process in child.children(recursive=True)
    ]


def _cpu_seconds(stack: Stack) -> float:
    total = 0.0
    for name in stack.names:
        process = stack.process(name)
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            total += times.user + times.system
    return total


@pytest.mark.parametrize("design", ["a", "b"])
def test_a_job_submitted_to_an_idle_stack_starts_at_once(
    start_stack: StackMaker, design: str
) -> None:
    # Were any of these waited for, the job would start after the bound.
    stack = start_stack(
        design,
        heartbeat_interval=300.0,
        heartbeat_timeout=1200.0,
        lease=2400.0,
        long_poll=600.0,
    )
    client = stack.client()
    for _ in range(3 * len(client.endpoints)):
        assert client.run(jobs.sleep(1), within=10).state == DONE


@pytest.mark.parametrize("design", ["a", "b"])
def test_a_job_starts_at_once_after_long_polls_have_run_out(
    start_stack: StackMaker, design: str
) -> None:
    stack = start_stack(
        design, heartbeat_interval=300.0, heartbeat_timeout=1200.0, lease=2400.0, long_poll=0.3
    )
    client = stack.client()
    polls = "FetchWork" if design == "a" else None
    if polls is not None:
        eventually(lambda: _ended(stack, "coordinator", polls) >= 3, what="polls without work")
    for _ in range(2 * len(client.endpoints)):
        assert client.run(jobs.sleep(1), within=10).state == DONE


def _ended(stack: Stack, name: str, method: str) -> int:
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in stack.metrics(name).splitlines()
        if line.startswith("grpc_server_handled_total") and f'"{method}"' in line and '"OK"' in line
    )

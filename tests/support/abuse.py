"""What has to hold while and after a server is abused, and how to observe it."""

from __future__ import annotations

import re

import grpc

from tests.support import jobs
from tests.support.client import DONE, TERMINAL, Calls, Client
from tests.support.stacks import Stack
from tests.support.waiting import eventually

MIB = 1 << 20
ENTRY = {"a": "gateway", "b": "node-0"}
# What grpcio logs when its server fails, and we when another takes its place.


def entry_of(stack: Stack) -> str:
    """Name the process that is abused: one that clients call."""
    return ENTRY[stack.design]


def address_of_entry(stack: Stack) -> str:
    """Return where it serves."""
    return stack.address(entry_of(stack))


def assert_serves(stack: Stack) -> None:
    """Every process is healthy, and a good client's job runs at each entry."""
    client = stack.client()
    for calls in client.at:
        # Not at once, if the server had to be replaced: its clients connect again first.
        job_id = eventually(lambda calls=calls: _accepted(calls), what="an accepted job")
        assert calls.wait(job_id).state == DONE
        assert calls.result(job_id).state == DONE
    for name in stack.names:
        stack.wait_until_serving(name)
    client.close()


def _accepted(calls: Calls) -> str:
    try:
        return calls.submit(jobs.noop())
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return ""
        raise


def assert_no_defects(stack: Stack) -> None:
    """No process has logged an error."""
    for name in stack.names:
        found = [
            line
            for line in stack.log(name)
            if line["level"] in {"ERROR", "CRITICAL"} or "met a defect" in line["message"]
        ]
        assert not found, f"{name}: {found[:3]}"


def memory_of(stack: Stack, name: str) -> int:
    """Return the resident bytes of a process."""
    return int(stack.process(name).memory_info().rss)


def metric_of(stack: Stack, name: str, metric: str) -> float:
    """Return the value of a metric of a process, labels included in its name."""
    found = re.search(rf"^{re.escape(metric)} (\S+)$", stack.metrics(name), re.MULTILINE)
    assert found, f"{name} has no {metric}"
    return float(found[1])


def calls_in_flight(stack: Stack) -> float:
    """Return how many calls the entry has not answered to the end."""
    return metric_of(stack, entry_of(stack), "taskqueue_calls_in_flight")


def wait_until_idle(stack: Stack) -> None:
    """Wait until the entry has answered, or given up, every call."""
    eventually(lambda: calls_in_flight(stack), lambda number: number == 0, 30, "an idle entry")


def assert_all_end_but(client: Client, known: set[str]) -> None:
    """Jobs that are not known may have been accepted or not, but none waits for ever."""
    eventually(
        lambda: {job.job_id for job in client.all_jobs() if job.state not in TERMINAL} - known,
        lambda waiting: not waiting,
        what="the end of all other jobs",
    )

"""What surrounds the service: health, reflection, metrics."""

from __future__ import annotations

import urllib.request
from collections import Counter

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from common.rpc import connect
from tests.support import jobs
from tests.support.client import Client, pb, rejection_of, spec
from tests.support.stacks import health_of
from tests.support.targets import CACHED, STORED, Target
from tests.support.waiting import eventually

REFLECTION = ("v1", "v1alpha")
SERVICE = "taskqueue.v1.TaskQueueService"
METRICS = (
    "grpc_server_started_total",
    "grpc_server_handled_total",
    "grpc_server_msg_received_total",
    "grpc_server_msg_sent_total",
    "grpc_server_handling_seconds_bucket",
    "grpc_server_handling_seconds_count",
    "process_cpu_seconds_total",
)


@pytest.mark.parametrize("service", ["", SERVICE])
def test_every_endpoint_says_that_it_is_healthy(target: Target, service: str) -> None:
    for endpoint in target.endpoints:
        assert health_of(endpoint, service) == "SERVING"


@pytest.mark.stateless
def test_the_health_of_an_unknown_service_is_not_found(target: Target) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        health_of(target.endpoints[0], "no.such.Service")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.stateless
@pytest.mark.parametrize("version", REFLECTION)
def test_every_endpoint_lists_its_services_by_reflection(target: Target, version: str) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    for endpoint in target.endpoints:
        answer = _reflected(endpoint, version, request)
        services = {service.name for service in answer.list_services_response.service}
        assert {SERVICE, "grpc.health.v1.Health"} <= services


@pytest.mark.stateless
@pytest.mark.parametrize("version", REFLECTION)
def test_reflection_describes_every_method(target: Target, version: str) -> None:
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)
    answer = _reflected(target.endpoints[0], version, request)
    described = b"".join(answer.file_descriptor_response.file_descriptor_proto)
    for method in (b"SubmitJob", b"GetJobStatus", b"GetJobResult", b"CancelJob", b"ListJobs"):
        assert method in described


def test_calls_are_counted_by_code_under_the_names_that_dashboards_know(
    client: Client, target: Target
) -> None:
    if not target.metrics:
        pytest.skip("where this target's metrics are is not known")
    before = _handled(target, "OK"), _handled(target, "INVALID_ARGUMENT")

    for _ in target.endpoints:
        client.submit(jobs.noop())
    for _ in target.endpoints:
        rejection_of(lambda: client.submit(spec("no_such")))

    after = _handled(target, "OK"), _handled(target, "INVALID_ARGUMENT")
    calls = len(target.endpoints)
    assert after == (before[0] + calls, before[1] + calls)


def test_every_process_exposes_its_metrics(target: Target) -> None:
    if not target.metrics:
        pytest.skip("where this target's metrics are is not known")
    for name, address in target.metrics.items():
        exposed = _scrape(address)
        # A worker serves health alone, which is not counted.
        wanted = [metric for metric in METRICS if name != "worker" or metric.startswith("process")]
        for metric in wanted:
            assert f"\n{metric}" in exposed, f"{name} does not expose {metric}"


@pytest.mark.parametrize(
    "metric",
    [
        'taskqueue_jobs{state="DONE"}',
        "taskqueue_queue_depth",
        "taskqueue_queue_oldest_age_seconds",
        "taskqueue_job_wait_seconds_bucket",
        "taskqueue_job_execution_seconds_bucket",
        "taskqueue_job_completion_seconds_bucket",
        "taskqueue_workers_alive",
        "taskqueue_heartbeat_age_seconds",
        "taskqueue_slots_busy",
        "taskqueue_redeliveries_total",
        "taskqueue_rejected_transitions_total",
    ],
)
def test_the_metrics_of_the_domain_are_exposed_once_for_each_owner(
    target: Target, metric: str
) -> None:
    if not target.metrics:
        pytest.skip("where this target's metrics are is not known")
    owners = [name for name, address in target.metrics.items() if f"\n{metric}" in _scrape(address)]
    equal_nodes = target.stack is not None and target.stack.design == "b"
    assert len(owners) == (len(target.metrics) if equal_nodes else 1), owners


def test_all_owners_together_report_each_job_once(client: Client, target: Target) -> None:
    if not target.metrics:
        pytest.skip("where this target's metrics are is not known")
    client.run(jobs.noop())
    listed = Counter(pb.JobState.Name(job.state) for job in client.all_jobs())
    wanted = {name.removeprefix("JOB_STATE_"): count for name, count in listed.items()}
    eventually(lambda: _reported(target), lambda reported: reported == wanted, what=str(wanted))


def test_round_trips_to_a_store_are_counted_where_there_is_one(
    client: Client, target: Target
) -> None:
    if not target.metrics:
        pytest.skip("where this target's metrics are is not known")

    def trips() -> float:
        return sum(_samples(target, "taskqueue_store_seconds_count"))

    before = trips()
    client.run(jobs.noop())
    assert (trips() > before) == (target.name in STORED)


def test_ended_jobs_are_read_from_the_cache_where_there_is_one(
    client: Client, target: Target
) -> None:
    if not target.metrics:
        pytest.skip("where this target's metrics are is not known")

    def hits() -> float:
        return sum(_samples(target, "taskqueue_cache_lookups_total{", 'found="hit"'))

    before, job_id = hits(), client.run(jobs.noop()).job_id
    if target.name in CACHED:
        # It may have been left out while its nodes were not met yet.
        eventually(lambda: client.status(job_id) and hits() > before, what="a hit")
    else:
        client.status(job_id)
        assert hits() == before == 0


def _reflected(
    endpoint: str, version: str, request: reflection_pb2.ServerReflectionRequest
) -> reflection_pb2.ServerReflectionResponse:
    """Ask by one of the versions, whose messages are the same on the wire."""
    with connect.channel(endpoint) as channel:
        ask = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        (answer,) = ask(iter([request]), timeout=10)
    return answer


def _scrape(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as response:
        return "\n" + response.read().decode()


def _handled(target: Target, code: str) -> int:
    """Number of ended submits with this code at all endpoints together."""
    wanted = ("grpc_server_handled_total{", f'grpc_code="{code}"', 'grpc_method="SubmitJob"')
    return int(sum(_samples(target, *wanted)))


def _reported(target: Target) -> dict[str, int]:
    """Number of jobs that all owners together report to be in each state in which there are any."""
    counts = {
        state: int(sum(_samples(target, f'taskqueue_jobs{{state="{state}"}}')))
        for state in ("QUEUED", "RUNNING", "DONE", "FAILED", "CANCELED")
    }
    return {state: count for state, count in counts.items() if count}


def _samples(target: Target, *parts: str) -> list[float]:
    """Values of all processes whose line has these parts."""
    return [
        float(line.rpartition(" ")[2])
        for address in target.metrics.values()
        for line in _scrape(address).splitlines()
        if all(part in line for part in parts)
    ]

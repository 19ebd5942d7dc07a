"""The caller matrix of Design A: each internal method against each caller."""

from __future__ import annotations

import importlib
from typing import Any

import grpc
import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1 import task_queue_service_pb2_grpc as pb_grpc
from common.rpc import connect
from tests.support.client import Rejection, read_error
from tests.support.stacks import Stack

# Written by hand from the design, so that the table in the code is checked against something else.
MATRIX = {
    ("job", "CreateJob"): {"gateway"},
    ("job", "GetJobRecord"): {"gateway", "coordinator"},
    ("job", "ListJobRecords"): {"gateway"},
    ("job", "TransitionJobStatus"): {"coordinator"},
    ("job", "SetCancelRequested"): {"gateway"},
    ("queue", "EnqueueJob"): {"gateway"},
    ("queue", "DequeueJob"): {"coordinator"},
    ("queue", "RemoveJobIfPresent"): {"gateway", "coordinator"},
    ("coordinator", "WorkerHeartbeat"): {"worker"},
    ("coordinator", "FetchWork"): {"worker"},
    ("coordinator", "ReportWorkOutcome"): {"worker"},
    ("result", "StoreResult"): {"coordinator"},
    ("result", "GetResult"): {"gateway"},
}
PUBLIC = ("SubmitJob", "GetJobStatus", "GetJobResult", "CancelJob", "ListJobs")
UNNAMED = None
CALLERS = (
    UNNAMED,
    "client",
    "gateway",
    "job",
    "queue",
    "coordinator",
    "worker",
    "result",
    "node",
    "stranger",
    "",
    "Gateway",
    "gateway ",
    "gateway,coordinator",
)
# What an empty message would make of these calls is of no interest; this keeps them short.
FIELDS: dict[str, dict[str, Any]] = {
    "WorkerHeartbeat": {"worker": "matrix"},
    "FetchWork": {"worker": "matrix"},
    "ReportWorkOutcome": {"worker": "matrix"},
}


def _named(caller: str | None) -> tuple[tuple[str, str], ...]:
    return () if caller is UNNAMED else (("x-taskqueue-caller", caller),)


def _answer(call: Any, request: Any, caller: str | None) -> Rejection | None:
    """Make the call as ``caller``; returns its error, or ``None`` if there was none."""
    try:
        call(request, timeout=10, metadata=_named(caller))
    except grpc.RpcError as error:
        return read_error(error)
    return None


def _public_answer(address: str, method: str, caller: str | None) -> Rejection | None:
    """Make a call of the public service at an address."""
    with connect.channel(address) as channel:
        stub = pb_grpc.TaskQueueServiceStub(channel)
        return _answer(getattr(stub, method), getattr(pb, f"{method}Request")(), caller)


def _assert_denied(rejection: Rejection | None) -> None:
    assert rejection is not None, "the call got through"
    assert (rejection.code, rejection.reason) == ("PERMISSION_DENIED", "CALLER_NOT_ALLOWED")
    assert rejection.domain == "taskqueue"
    assert rejection.metadata["outcome"] == "definite"


def _assert_through(rejection: Rejection | None) -> None:
    assert rejection is None or rejection.code != "PERMISSION_DENIED", rejection


@pytest.mark.parametrize("caller", CALLERS, ids=repr)
@pytest.mark.parametrize(("service", "method"), MATRIX, ids=lambda part: part)
def test_an_internal_method_lets_through_its_callers_and_nobody_else(
    stack_a: Stack, service: str, method: str, caller: str | None
) -> None:
    package = f"common.gen.taskqueue.internal.v1.{service}_service_pb2"
    messages = importlib.import_module(package)
    stubs = importlib.import_module(f"{package}_grpc")
    request = getattr(messages, f"{method}Request")(**FIELDS.get(method, {}))

    with connect.channel(stack_a.address(service)) as channel:
        stub = getattr(stubs, f"{service.capitalize()}ServiceStub")(channel)
        rejection = _answer(getattr(stub, method), request, caller)

    if caller in MATRIX[service, method]:
        _assert_through(rejection)
    else:
        _assert_denied(rejection)


@pytest.mark.parametrize("caller", CALLERS, ids=repr)
@pytest.mark.parametrize("method", PUBLIC)
def test_a_public_method_of_the_gateway_is_for_clients_alone(
    stack_a: Stack, method: str, caller: str | None
) -> None:
    rejection = _public_answer(stack_a.address("gateway"), method, caller)

    if caller in (UNNAMED, "client"):
        _assert_through(rejection)
    else:
        _assert_denied(rejection)


@pytest.mark.parametrize("caller", [name for name in CALLERS if name != "node"], ids=repr)
@pytest.mark.parametrize("method", PUBLIC)
def test_a_public_method_of_a_node_is_for_clients_and_other_nodes(
    stack_b: Stack, method: str, caller: str | None
) -> None:
    rejection = _public_answer(stack_b.address("node-3"), method, caller)

    if caller in (UNNAMED, "client"):
        _assert_through(rejection)
    else:
        _assert_denied(rejection)


def test_the_matrix_names_every_internal_method() -> None:
    served = set()
    for service in {service for service, _ in MATRIX}:
        package = f"common.gen.taskqueue.internal.v1.{service}_service_pb2"
        (descriptor,) = importlib.import_module(package).DESCRIPTOR.services_by_name.values()
        served |= {(service, method.name) for method in descriptor.methods}
    assert served == MATRIX.keys()


def test_a_denied_call_changes_nothing(stack_a: Stack) -> None:
    client = stack_a.client()
    before = [job.job_id for job in client.all_jobs()]
    messages = importlib.import_module("common.gen.taskqueue.internal.v1.job_service_pb2")
    stubs = importlib.import_module("common.gen.taskqueue.internal.v1.job_service_pb2_grpc")
    request = messages.CreateJobRequest(jobs=[messages.NewJob(kind="noop")])
    with connect.channel(stack_a.address("job")) as channel:
        _assert_denied(_answer(stubs.JobServiceStub(channel).CreateJob, request, "stranger"))
    assert [job.job_id for job in client.all_jobs()] == before

"""The caller matrix of both designs: each method against each caller, and against who claims it."""

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


Metadata = tuple[tuple[str, str], ...]
WRONG = "0123456789abcdef" * 2


def _as(stack: Stack, caller: str | None) -> Metadata:
    """Return the metadata of a caller that proves itself, if it has to."""
    if caller is UNNAMED:
        return ()
    return (("x-taskqueue-caller", "client"),) if caller == "client" else stack.claim(caller)


def _claims(stack: Stack, caller: str) -> dict[str, Metadata]:
    """Return ways to claim to be a caller without being it."""
    named = ("x-taskqueue-caller", caller)
    (_, (key, secret)) = stack.claim(caller)
    proofs = {
        "wrong": WRONG,
        "empty": "",
        "shorter": secret[:-1],
        "longer": f"{secret}0",
        "upper case": secret.upper() + "X",
    }
    return {"none": (named,), **{what: (named, (key, each)) for what, each in proofs.items()}}


def _answer(call: Any, request: Any, metadata: Metadata) -> Rejection | None:
    """Make the call; returns its error, or ``None`` if there was none."""
    try:
        call(request, timeout=10, metadata=metadata)
    except grpc.RpcError as error:
        return read_error(error)
    return None


def _internal_answer(
    stack: Stack, service: str, method: str, metadata: Metadata
) -> Rejection | None:
    """Make a call of an internal service of Design A."""
    package = f"common.gen.taskqueue.internal.v1.{service}_service_pb2"
    messages = importlib.import_module(package)
    stubs = importlib.import_module(f"{package}_grpc")
    request = getattr(messages, f"{method}Request")(**FIELDS.get(method, {}))
    with connect.channel(stack.address(service)) as channel:
        stub = getattr(stubs, f"{service.capitalize()}ServiceStub")(channel)
        return _answer(getattr(stub, method), request, metadata)


def _public_answer(address: str, method: str, metadata: Metadata) -> Rejection | None:
    """Make a call of the public service at an address."""
    with connect.channel(address) as channel:
        stub = pb_grpc.TaskQueueServiceStub(channel)
        return _answer(getattr(stub, method), getattr(pb, f"{method}Request")(), metadata)


def _assert_denied(rejection: Rejection | None, reason: str = "CALLER_NOT_ALLOWED") -> None:
    assert rejection is not None, "the call got through"
    assert (rejection.code, rejection.reason) == ("PERMISSION_DENIED", reason)
    assert rejection.domain == "taskqueue"
    assert rejection.metadata["outcome"] == "definite"


def _assert_through(rejection: Rejection | None) -> None:
    assert rejection is None or rejection.code != "PERMISSION_DENIED", rejection


@pytest.mark.parametrize("caller", CALLERS, ids=repr)
@pytest.mark.parametrize(("service", "method"), MATRIX, ids=lambda part: part)
def test_an_internal_method_lets_through_its_callers_and_nobody_else(
    stack_a: Stack, service: str, method: str, caller: str | None
) -> None:
    rejection = _internal_answer(stack_a, service, method, _as(stack_a, caller))

    if caller in MATRIX[service, method]:
        _assert_through(rejection)
    else:
        _assert_denied(rejection)


@pytest.mark.parametrize("caller", CALLERS, ids=repr)
@pytest.mark.parametrize("method", PUBLIC)
def test_a_public_method_of_the_gateway_is_for_clients_alone(
    stack_a: Stack, method: str, caller: str | None
) -> None:
    rejection = _public_answer(stack_a.address("gateway"), method, _as(stack_a, caller))

    if caller in (UNNAMED, "client"):
        _assert_through(rejection)
    else:
        _assert_denied(rejection)


@pytest.mark.parametrize("caller", CALLERS, ids=repr)
@pytest.mark.parametrize("method", PUBLIC)
def test_a_public_method_of_a_node_is_for_clients_and_other_nodes(
    stack_b: Stack, method: str, caller: str | None
) -> None:
    rejection = _public_answer(stack_b.address("node-3"), method, _as(stack_b, caller))

    if caller in (UNNAMED, "client", "node"):
        _assert_through(rejection)
    else:
        _assert_denied(rejection)


@pytest.mark.parametrize(
    ("service", "method", "caller"),
    [(*called, caller) for called, callers in MATRIX.items() for caller in sorted(callers)],
)
def test_who_claims_to_be_a_caller_of_an_internal_method_is_denied_it(
    stack_a: Stack, service: str, method: str, caller: str
) -> None:
    for what, claim in _claims(stack_a, caller).items():
        rejection = _internal_answer(stack_a, service, method, claim)
        _assert_denied(rejection, "CALLER_NOT_PROVEN")
        assert rejection is not None
        assert "TASKQUEUE_SECRET_FILE" in rejection.message, what


@pytest.mark.parametrize("method", PUBLIC)
def test_who_claims_to_be_a_node_is_denied_every_public_method(stack_b: Stack, method: str) -> None:
    for claim in _claims(stack_b, "node").values():
        _assert_denied(
            _public_answer(stack_b.address("node-3"), method, claim), "CALLER_NOT_PROVEN"
        )


@pytest.mark.parametrize("design", ["a", "b"])
def test_the_secret_of_a_stack_is_in_none_of_its_metrics_logs_and_processes(
    request: pytest.FixtureRequest, design: str
) -> None:
    stack: Stack = request.getfixturevalue(f"stack_{design}")
    (_, (_, secret)) = stack.claim("node")
    for name in stack.names:
        process = stack.process(name)
        assert secret not in stack.metrics(name)
        assert secret not in str(stack.log(name))
        assert secret not in f"{process.cmdline()} {process.environ()}"


@pytest.mark.parametrize("caller", [*CALLERS, "operator"], ids=repr)
@pytest.mark.parametrize(
    ("method", "allowed"),
    [("ExchangeMembership", {"node", "operator"}), ("RepeatSubmit", {"node"})],
)
def test_membership_is_for_nodes_and_only_its_exchange_for_who_operates_the_stack(
    stack_b: Stack, method: str, allowed: set[str], caller: str | None
) -> None:
    package = "common.gen.taskqueue.membership.v1.membership_service_pb2"
    messages = importlib.import_module(package)
    stubs = importlib.import_module(f"{package}_grpc")
    with connect.channel(stack_b.address("node-3")) as channel:
        stub = stubs.MembershipServiceStub(channel)
        request = getattr(messages, f"{method}Request")()
        rejection = _answer(getattr(stub, method), request, _as(stack_b, caller))
    if caller in allowed:
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
        _assert_denied(
            _answer(stubs.JobServiceStub(channel).CreateJob, request, _as(stack_a, "stranger"))
        )
    assert [job.job_id for job in client.all_jobs()] == before

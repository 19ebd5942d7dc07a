"""Design B when a node is out of reach, and how nodes forward calls to each other."""

from __future__ import annotations

import pytest

from design_b import membership
from tests.integration.conftest import StackMaker
from tests.support import jobs
from tests.support.client import DONE, TIMEOUT, Client, pb, rejection_of
from tests.support.stacks import Stack
from tests.support.waiting import eventually

DEAD = "node-2"


def home_of_request(request_id: str, nodes: int) -> int:
    """Return the number of the node at which a request id is at home."""
    return membership.read("", dict.fromkeys(range(nodes), "")).home_of(request_id)


def _unreachable(client: Client, call: object) -> None:
    rejection = rejection_of(call)  # type: ignore[arg-type]
    assert (rejection.code, rejection.reason) == ("UNAVAILABLE", "OWNER_UNREACHABLE"), rejection
    assert rejection.domain == "taskqueue"
    assert rejection.metadata["outcome"] == "indefinite"


@pytest.mark.slow
def test_a_killed_node_takes_its_own_jobs_out_of_reach_and_no_others(
    start_stack: StackMaker,
) -> None:
    stack = start_stack("b")
    everyone = stack.client()
    job_ids = [calls.submit(jobs.sleep(1)) for calls in everyone.at]
    for job_id in job_ids:
        everyone.wait(job_id)
    dead = stack.names.index(DEAD)
    alive = [name for name in stack.names if name != DEAD]

    stack.kill(DEAD)

    client = stack.client(*alive)
    for calls in client.at:
        _unreachable(client, lambda calls=calls: calls.status(job_ids[dead]))
        _unreachable(client, lambda calls=calls: calls.result(job_ids[dead]))
        _unreachable(client, lambda calls=calls: calls.cancel(job_ids[dead]))
        _unreachable(client, lambda calls=calls: calls.list())
        _unreachable(client, lambda calls=calls: calls.list(DONE, "sleep", 1))
        for number, job_id in enumerate(job_ids):
            if number != dead:
                assert calls.status(job_id).state == DONE
                assert calls.result(job_id).state == DONE
    assert {client.run(jobs.sleep(1)).state for _ in alive} == {DONE}
    _assert_request_ids_have_homes(client, dead, len(stack.names))

    stack.start(DEAD)

    # The state is lost with the process, and the others report it instead of making it up.
    eventually(
        lambda: all(_answers(calls.list) for calls in client.at), what="lists with the node back"
    )
    lost = rejection_of(lambda: client.status(job_ids[dead]))
    assert (lost.code, lost.reason) == ("NOT_FOUND", "JOB_NOT_FOUND")
    assert job_ids[dead] not in {job.job_id for job in client.all_jobs()}
    assert set(job_ids) - {job_ids[dead]} <= {job.job_id for job in client.all_jobs()}


def _assert_request_ids_have_homes(client: Client, dead: int, nodes: int) -> None:
    """A request id that is at home at the dead node cannot be submitted, others can."""
    ids = [f"request-{number}" for number in range(60)]
    at_home = [each for each in ids if home_of_request(each, nodes) == dead]
    elsewhere = [each for each in ids if home_of_request(each, nodes) != dead]
    assert at_home
    for each in at_home:
        _unreachable(client, lambda each=each: client.submit(jobs.noop(), each))
    for each in elsewhere:
        assert client.submit(jobs.noop(), each) == client.submit(jobs.noop(), each)


def _answers(call: object) -> bool:
    try:
        rejection_of(call)  # type: ignore[arg-type]
    except AssertionError:
        return True
    return False


def test_a_forwarded_call_is_answered_at_home_and_refused_elsewhere(stack_b: Stack) -> None:
    client, as_node = stack_b.client(), stack_b.claim("node")
    job_id = client.at[1].submit(jobs.noop())
    request = pb.GetJobStatusRequest(job_id=job_id)

    at_home = client.stubs[1].GetJobStatus(request, timeout=TIMEOUT, metadata=as_node)
    assert at_home.status.job_id == job_id

    for number in (0, 2, 3, 4, 5):
        stub = client.stubs[number]
        for call in (
            lambda stub=stub: stub.GetJobStatus(request, timeout=TIMEOUT, metadata=as_node),
            lambda stub=stub: stub.GetJobResult(
                pb.GetJobResultRequest(job_id=job_id), timeout=TIMEOUT, metadata=as_node
            ),
            lambda stub=stub: stub.CancelJob(
                pb.CancelJobRequest(job_id=job_id), timeout=TIMEOUT, metadata=as_node
            ),
        ):
            rejection = rejection_of(call)
            assert rejection.reason == "NOT_HOME", rejection
            assert rejection.metadata["outcome"] == "definite"
            assert rejection.metadata["job_id"] == job_id


def test_a_forwarded_submit_is_refused_by_a_node_that_is_not_its_home(stack_b: Stack) -> None:
    client, as_node = stack_b.client(), stack_b.claim("node")
    request_id = "forwarded to the wrong node"
    home = home_of_request(request_id, len(client.stubs))
    request = pb.SubmitJobRequest(job=jobs.noop(), request_id=request_id)
    for number, stub in enumerate(client.stubs):
        if number != home:
            rejection = rejection_of(
                lambda stub=stub: stub.SubmitJob(request, timeout=TIMEOUT, metadata=as_node)
            )
            assert rejection.reason == "NOT_HOME", rejection
            assert rejection.metadata["request_id"] == request_id
            assert "job_id" not in rejection.metadata
    accepted = client.stubs[home].SubmitJob(request, timeout=TIMEOUT, metadata=as_node)
    assert client.submit(jobs.noop(), request_id) == accepted.job_id


def test_a_forwarded_list_holds_the_jobs_of_one_node_alone(stack_b: Stack) -> None:
    client, as_node = stack_b.client(), stack_b.claim("node")
    job_ids = [calls.submit(jobs.noop()) for calls in client.at]
    for number, stub in enumerate(client.stubs):
        request = pb.ListJobsRequest(page_size=1000)
        page = stub.ListJobs(request, timeout=TIMEOUT, metadata=as_node)
        assert {job.job_id for job in page.jobs} & set(job_ids) == {job_ids[number]}


def test_a_status_call_for_another_nodes_job_is_forwarded_once(stack_b: Stack) -> None:
    client = stack_b.client()
    job_id = client.at[4].submit(jobs.noop())
    before = [_calls(stack_b, name, "GetJobStatus") for name in stack_b.names]

    client.at[0].status(job_id)

    after = [_calls(stack_b, name, "GetJobStatus") for name in stack_b.names]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 0, 0, 0, 1, 0]


def test_a_submit_needs_no_other_node(stack_b: Stack) -> None:
    client = stack_b.client()
    before = [_calls(stack_b, name, "SubmitJob") for name in stack_b.names]

    for _ in range(5):
        client.at[3].submit(jobs.noop())

    after = [_calls(stack_b, name, "SubmitJob") for name in stack_b.names]
    assert [new - old for new, old in zip(after, before, strict=True)] == [0, 0, 0, 5, 0, 0]


def _calls(stack: Stack, name: str, method: str) -> int:
    """Number of calls that a process has begun to serve."""
    for line in stack.metrics(name).splitlines():
        if line.startswith("grpc_server_started_total") and f'"{method}"' in line:
            return int(float(line.rpartition(" ")[2]))
    raise AssertionError(f"{name} does not count {method}")

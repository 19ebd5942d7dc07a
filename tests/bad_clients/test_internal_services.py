"""Fuzzed messages for the internal services of Design A, from callers that may call them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.gen.taskqueue.internal.v1 import coordinator_service_pb2 as coordinator
from common.gen.taskqueue.internal.v1 import entries_pb2 as entries
from common.gen.taskqueue.internal.v1 import job_service_pb2 as job
from common.gen.taskqueue.internal.v1 import queue_service_pb2 as queue
from common.gen.taskqueue.internal.v1 import result_service_pb2 as result
from common.rpc import connect
from common.rpc.callers import ALLOWED
from tests.support import jobs
from tests.support.abuse import assert_no_defects, assert_serves
from tests.support.client import DONE, RUNNING, read_error, rejection_of
from tests.support.fuzz import FUZZED, messages
from tests.support.stacks import Stack, running

SERVICES = {"job": job, "queue": queue, "coordinator": coordinator, "result": result}
# Every method of every internal service, with who may call it.
METHODS = sorted(
    {
        (process, service.full_name, method.name): caller
        for process, module in SERVICES.items()
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        for caller, allowed in ALLOWED.items()
        if f"/{service.full_name}/{method.name}" in allowed
    }.items()
)
# A fetch may wait for work, as long as its request says.
EXPECTED = {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "DEADLINE_EXCEEDED"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Design A of its own."""
    with running("a", tmp_path_factory.mktemp("internal")) as started:
        yield started
        assert_no_defects(started)


@pytest.mark.parametrize(("method", "caller"), METHODS, ids=lambda value: "".join(value[2:]))
def test_no_message_harms_an_owner(stack: Stack, method: tuple[str, str, str], caller: str) -> None:
    process, service, name = method
    client = stack.client()
    kept = client.run(jobs.word_count("kept as it is"))
    output = client.result(kept.job_id).output
    kind = SERVICES[process].DESCRIPTOR.services_by_name[service.rpartition(".")[2]]
    request = kind.methods_by_name[name].input_type

    with connect.channel(stack.address(process)) as channel:
        call = channel.unary_unary(f"/{service}/{name}")

        @FUZZED
        @given(st.one_of(messages(request, ["", "noop", kept.job_id, "w"]), st.binary(max_size=60)))
        def send(message: bytes) -> None:
            try:
                call(message, timeout=0.3, metadata=stack.claim(caller))
            except grpc.RpcError as error:
                rejection = read_error(error)
                assert rejection.code in EXPECTED, rejection

        send()

    assert client.status(kept.job_id) == kept
    assert client.result(kept.job_id).output == output
    assert_serves(stack)
    assert_no_defects(stack)


@pytest.mark.parametrize("state", [0, 1, RUNNING, 17])
def test_a_report_of_what_is_no_end_is_refused_and_its_job_runs(tmp_path: Path, state: int) -> None:
    with running("a", tmp_path, slots=6) as stack:
        client = stack.client()
        long = [client.submit(jobs.sleep(600_000)) for _ in range(6)]
        for job_id in long:
            client.wait(job_id, RUNNING)
        waiting = client.submit(jobs.noop())
        report = coordinator.WorkReport(
            execution=entries.Execution(job_id=waiting, attempt=1),
            outcome=entries.Outcome(state=state),  # type: ignore[arg-type]
        )
        request = coordinator.ReportWorkOutcomeRequest(worker="worker", reports=[report])
        with connect.channel(stack.address("coordinator")) as channel:
            call = channel.unary_unary(
                "/taskqueue.internal.v1.CoordinatorService/ReportWorkOutcome"
            )
            rejection = rejection_of(
                lambda: call(
                    request.SerializeToString(), timeout=10, metadata=stack.claim("worker")
                )
            )
        assert (rejection.code, rejection.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
        client.cancel(long[0])
        assert client.wait(waiting).state == DONE

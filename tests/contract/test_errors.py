"""Every error of the contract: its code, reason and metadata, and that it leaves nothing behind."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from google.protobuf.duration_pb2 import Duration

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.support import jobs
from tests.support.client import DONE, QUEUED, TERMINAL, TIMEOUT, Client, rejection_of, spec
from tests.support.raw import call_with_timeout
from tests.support.waiting import eventually

MIB = 1 << 20
ABSENT_ID = "0" * 16


@dataclass(frozen=True)
class Case:
    """A call that has to fail, and how."""

    name: str
    call: Callable[[Client], object]
    code: str
    reason: str
    field: str = ""


def _invalid(
    name: str, call: Callable[[Client], object], field: str, reason: str = "INVALID_FIELD"
) -> Case:
    return Case(name, call, "INVALID_ARGUMENT", reason, field)


def _ids(name: str, job_id: str) -> list[Case]:
    """The three calls that take an id, each with one that no id looks like."""
    return [
        _invalid(f"status of {name}", lambda c: c.status(job_id), "job_id", "MALFORMED_JOB_ID"),
        _invalid(f"result of {name}", lambda c: c.result(job_id), "job_id", "MALFORMED_JOB_ID"),
        _invalid(f"cancel of {name}", lambda c: c.cancel(job_id), "job_id", "MALFORMED_JOB_ID"),
    ]


def _token(client: Client) -> str:
    """Return the token of a query over all jobs that has a next page."""
    for _ in range(2):
        client.submit(jobs.noop())
    token = client.list(page_size=1).next_page_token
    assert token, "a page of one out of two jobs has a next page"
    return token


CASES = [
    _invalid("no job", lambda c: c.stub.SubmitJob(pb.SubmitJobRequest(), timeout=5), "job.kind"),
    _invalid("empty kind", lambda c: c.submit(spec("")), "job.kind"),
    _invalid("unknown kind", lambda c: c.submit(spec("no_such")), "job.kind", "UNKNOWN_KIND"),
    _invalid("kind in other case", lambda c: c.submit(spec("NOOP")), "job.kind", "UNKNOWN_KIND"),
    _invalid(
        "payload over the limit",
        lambda c: c.submit(spec("noop", bytes(MIB + 1))),
        "job.payload",
        "PAYLOAD_TOO_LARGE",
    ),
    _invalid(
        "payload far over the limit",
        lambda c: c.submit(spec("noop", bytes(3 * MIB))),
        "job.payload",
        "PAYLOAD_TOO_LARGE",
    ),
    *[
        _invalid(
            f"payload that {kind} cannot read",
            lambda c, kind=kind, payload=payload: c.submit(spec(kind, payload)),
            "job.payload",
            "UNREADABLE_PAYLOAD",
        )
        for kind, payload in jobs.UNREADABLE.items()
    ],
    *[
        _invalid(
            f"payload with {what}",
            lambda c, payload=payload: c.submit(spec("sleep", payload)),
            "job.payload",
            "UNREADABLE_PAYLOAD",
        )
        for what, payload in jobs.NASTY.items()
    ],
    *[
        _invalid(
            f"execution timeout of {seconds} s",
            lambda c, seconds=seconds: c.submit(spec("noop", execution_timeout=seconds)),
            "job.execution_timeout",
        )
        for seconds in (0, -1, -0.001)
    ],
    *[
        _invalid(
            f"execution timeout of {seconds} s and {nanos} ns, which is no duration",
            lambda c, seconds=seconds, nanos=nanos: c.submit(
                pb.JobSpec(kind="noop", execution_timeout=Duration(seconds=seconds, nanos=nanos))
            ),
            "job.execution_timeout",
        )
        for seconds, nanos in ((315_576_000_000, 1), (1, 2_000_000_000), (1, -1))
    ],
    _invalid("request_id over the limit", lambda c: c.submit(jobs.noop(), "x" * 129), "request_id"),
    _invalid(
        "request_id over the limit in bytes, not in characters",
        lambda c: c.submit(jobs.noop(), "é" * 65),
        "request_id",
    ),
    *_ids("an empty id", ""),
    *_ids("an id too short", "0" * 15),
    *_ids("an id too long", "0" * 17),
    *_ids("an id outside its alphabet", "z" * 16),
    *_ids("an id in upper case", "A" * 16),
    *_ids("an id with a line break", "0" * 15 + "\n"),
    Case("status of an unknown id", lambda c: c.status(ABSENT_ID), "NOT_FOUND", "JOB_NOT_FOUND"),
    Case("result of an unknown id", lambda c: c.result(ABSENT_ID), "NOT_FOUND", "JOB_NOT_FOUND"),
    Case("cancel of an unknown id", lambda c: c.cancel(ABSENT_ID), "NOT_FOUND", "JOB_NOT_FOUND"),
    Case(
        "status of an id with an unknown home",
        lambda c: c.status("v" * 16),
        "NOT_FOUND",
        "JOB_NOT_FOUND",
    ),
    _invalid("negative page size", lambda c: c.list(page_size=-1), "page_size"),
    _invalid("state out of range", lambda c: c.list(state=99), "state"),
    _invalid("negative state", lambda c: c.list(state=-1), "state"),
    _invalid(
        "token that is none",
        lambda c: c.list(page_token="?" * 9),
        "page_token",
        "INVALID_PAGE_TOKEN",
    ),
    _invalid(
        "token outside ASCII",
        lambda c: c.list(page_token="é"),
        "page_token",
        "INVALID_PAGE_TOKEN",
    ),
    _invalid(
        "token cut short",
        lambda c: c.list(page_token=_token(c)[:-4]),
        "page_token",
        "INVALID_PAGE_TOKEN",
    ),
    _invalid(
        "token of a query with another kind",
        lambda c: c.list(kind="sleep", page_token=_token(c)),
        "page_token",
        "INVALID_PAGE_TOKEN",
    ),
    _invalid(
        "token of a query with another state",
        lambda c: c.list(state=QUEUED, page_token=_token(c)),
        "page_token",
        "INVALID_PAGE_TOKEN",
    ),
]


def _needs_state(case: Case) -> bool:
    return case.reason in {"JOB_NOT_FOUND", "INVALID_PAGE_TOKEN"}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id=case.name, marks=[] if _needs_state(case) else [pytest.mark.stateless]
        )
        for case in CASES
    ],
)
def test_a_bad_call_gets_its_error_and_the_server_goes_on(client: Client, case: Case) -> None:
    rejection = rejection_of(lambda: case.call(client))

    assert (rejection.code, rejection.reason) == (case.code, case.reason), rejection
    assert rejection.domain == "taskqueue"
    assert rejection.metadata["outcome"] == "definite"
    assert rejection.metadata.get("field", "") == case.field
    assert rejection.message, "an error explains itself"
    if case.field:
        assert case.field in rejection.message
    assert client.run(jobs.noop()).state == DONE


@pytest.mark.stateless
def test_errors_are_the_same_at_every_endpoint(client: Client) -> None:
    seen = {
        rejection_of(lambda calls=calls: calls.submit(spec("no_such"))).message
        for calls in client.at
    }
    assert len(seen) == 1


def test_a_payload_of_exactly_the_limit_is_accepted(client: Client) -> None:
    assert client.run(spec("noop", bytes(MIB))).state == DONE


def test_a_request_id_of_exactly_the_limit_is_accepted(client: Client, unique: str) -> None:
    assert client.submit(jobs.noop(), unique.ljust(128, "x"))


def test_refused_submits_leave_no_job_behind(client: Client) -> None:
    before = {job.job_id for job in client.all_jobs()}
    refused = [case for case in CASES if case.name in REFUSED_SUBMITS]
    assert len(refused) >= 8, "the table names the refused submits"
    for case in refused:
        for _ in range(len(client.endpoints)):
            rejection_of(lambda case=case: case.call(client))
    assert {job.job_id for job in client.all_jobs()} == before


REFUSED_SUBMITS = {
    case.name for case in CASES if case.field.startswith("job.") or case.field == "request_id"
}


def test_a_refused_request_id_stays_free(client: Client, unique: str) -> None:
    rejection_of(lambda: client.submit(spec("no_such"), unique))
    job_id = client.submit(jobs.noop(), unique)
    assert client.wait(job_id).kind == "noop"


def test_result_of_an_unfinished_job_is_not_finished(client: Client) -> None:
    job_id = client.submit(jobs.sleep(60_000))
    try:
        rejection = rejection_of(lambda: client.result(job_id))
        assert (rejection.code, rejection.reason) == ("FAILED_PRECONDITION", "JOB_NOT_FINISHED")
        assert rejection.domain == "taskqueue"
        assert rejection.metadata["outcome"] == "definite"
        assert rejection.metadata["job_id"] == job_id
        assert rejection.metadata["state"] in {"QUEUED", "RUNNING"}
    finally:
        client.cancel(job_id)
        client.wait(job_id)


@pytest.mark.parametrize(("grpc_timeout", "accepted"), [("10S", True), ("0n", False)])
def test_a_call_that_arrives_after_its_deadline_queues_nothing(
    client: Client, grpc_timeout: str, accepted: bool
) -> None:
    request = pb.SubmitJobRequest(job=jobs.noop()).SerializeToString()
    before = {job.job_id for job in client.all_jobs()}

    for endpoint in client.endpoints:
        call_with_timeout(
            endpoint, "/taskqueue.v1.TaskQueueService/SubmitJob", request, grpc_timeout
        )

    # The call that is in time proves that one sent like this is understood.
    new = {job.job_id for job in client.all_jobs()} - before
    assert len(new) == (len(client.endpoints) if accepted else 0)
    assert client.run(jobs.noop()).state == DONE


def test_a_deadline_that_passes_on_the_way_leaves_no_job_waiting(client: Client) -> None:
    request = pb.SubmitJobRequest(job=jobs.noop()).SerializeToString()
    before = {job.job_id for job in client.all_jobs()}

    # A server counts in milliseconds, so the shortest of these may still be in time.
    for grpc_timeout in ("1n", "1m", "2m", "3m", "5m"):
        for endpoint in client.endpoints * (12 // len(client.endpoints)):
            call_with_timeout(
                endpoint, "/taskqueue.v1.TaskQueueService/SubmitJob", request, grpc_timeout
            )

    _assert_all_end_but(client, before)


def test_a_submit_that_its_client_abandons_leaves_no_job_waiting(client: Client) -> None:
    request = pb.SubmitJobRequest(job=jobs.noop())
    before = {job.job_id for job in client.all_jobs()}
    pauses = random.Random(1)

    for _ in range(120):
        call = client.stub.SubmitJob.future(request, timeout=TIMEOUT)
        # Wherever this takes the call, nothing may be left half done.
        time.sleep(pauses.uniform(0, 0.003))
        call.cancel()

    _assert_all_end_but(client, before)


def _assert_all_end_but(client: Client, known: set[str]) -> None:
    """Every job that is not known may have run or not, but none is waiting for ever."""
    eventually(
        lambda: {job.job_id for job in client.all_jobs() if job.state not in TERMINAL} - known,
        lambda waiting: not waiting,
        what="the end of all other jobs",
    )
    assert client.run(jobs.noop()).state == DONE


@pytest.mark.stateless
def test_an_unknown_method_is_unimplemented(client: Client) -> None:
    call = client.channels[0].unary_unary("/taskqueue.v1.TaskQueueService/DropJob")
    assert rejection_of(lambda: call(b"", timeout=TIMEOUT)).code == "UNIMPLEMENTED"


@pytest.mark.stateless
def test_a_request_that_is_no_message_does_no_harm(client: Client) -> None:
    call = client.channels[0].unary_unary("/taskqueue.v1.TaskQueueService/SubmitJob")
    assert rejection_of(lambda: call(b"\xff\xff\xff", timeout=TIMEOUT)).code in {
        "INTERNAL",
        "INVALID_ARGUMENT",
        "UNKNOWN",
    }
    assert client.run(jobs.noop()).state == DONE

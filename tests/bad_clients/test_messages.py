"""Fuzzed messages and headers for the public service, in both designs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import grpc
import pytest
from hyperframe.frame import DataFrame
from hypothesis import given
from hypothesis import strategies as st

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.rpc import connect
from tests.support import jobs
from tests.support.abuse import (
    MIB,
    address_of_entry,
    assert_no_defects,
    assert_serves,
    entry_of,
    memory_of,
)
from tests.support.client import Client, read_error, rejection_of, spec
from tests.support.fuzz import FUZZED, messages, mutated
from tests.support.http2 import LIST, SUBMIT, Connection, message_frame
from tests.support.stacks import Stack

pytestmark = pytest.mark.slow

SERVICE = "/taskqueue.v1.TaskQueueService"
METHODS = {
    "SubmitJob": pb.SubmitJobRequest,
    "GetJobStatus": pb.GetJobStatusRequest,
    "GetJobResult": pb.GetJobResultRequest,
    "CancelJob": pb.CancelJobRequest,
    "ListJobs": pb.ListJobsRequest,
}
# What a client may be answered that sends nonsense in time, by docs and by the table of errors.
EXPECTED = {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}


class Fuzzer:
    """Sends bytes as messages of the entry and remembers which jobs were accepted."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known = self._jobs()
        self._accepted: set[str] = set()

    def fuzz(self, method: str, choose: st.SearchStrategy[bytes]) -> None:
        """Send a method many messages."""

        @FUZZED
        @given(choose)
        def send(message: bytes) -> None:
            self._send(method, message)

        send()

    def _send(self, method: str, message: bytes) -> None:
        """Make a call; its answer has to be one of the contract."""
        call = self._client.channels[0].unary_unary(f"{SERVICE}/{method}")
        try:
            answer = call(message, timeout=15)
        except grpc.RpcError as error:
            rejection = read_error(error)
            assert rejection.code in EXPECTED, rejection
            assert rejection.domain == "taskqueue", rejection
            assert rejection.metadata["outcome"] == "definite", rejection
            return
        if method == "SubmitJob":
            self._accepted.add(pb.SubmitJobResponse.FromString(answer).job_id)

    def assert_nothing_left_behind(self) -> None:
        """The jobs that there are now are those from before and those that were accepted."""
        assert self._jobs() == self._known | self._accepted

    def _jobs(self) -> set[str]:
        return {job.job_id for job in self._client.all_jobs()}


def _fuzz(stack: Stack, choose: Callable[[str], st.SearchStrategy[bytes]]) -> None:
    fuzzer = Fuzzer(stack.client(entry_of(stack)))
    for method in METHODS:
        fuzzer.fuzz(method, choose(method))
    fuzzer.assert_nothing_left_behind()
    assert_serves(stack)
    assert_no_defects(stack)


def test_random_bytes_as_messages(stack: Stack) -> None:
    _fuzz(stack, lambda _: st.binary(max_size=200))


def test_messages_with_random_fields(stack: Stack) -> None:
    # The job is real, so that most of what is wrong is not found by the first check.
    client = stack.client(entry_of(stack))
    job_id = client.run(jobs.noop()).job_id
    client.submit(jobs.noop())
    token = client.list(page_size=1).next_page_token
    texts = ["", "noop", "sleep", job_id, job_id.upper(), token, token[:-3], token[::-1]]
    _fuzz(stack, lambda method: messages(METHODS[method].DESCRIPTOR, texts))


def test_valid_messages_with_broken_bytes(stack: Stack) -> None:
    job_id = stack.client(entry_of(stack)).run(jobs.noop()).job_id
    valid = {
        "SubmitJob": pb.SubmitJobRequest(job=spec("noop", b"x", 5), request_id="an id"),
        "GetJobStatus": pb.GetJobStatusRequest(job_id=job_id),
        "GetJobResult": pb.GetJobResultRequest(job_id=job_id),
        "CancelJob": pb.CancelJobRequest(job_id=job_id),
        "ListJobs": pb.ListJobsRequest(state=3, kind="noop", page_size=7, page_token="AAAA"),
    }
    _fuzz(stack, lambda method: mutated(valid[method].SerializeToString()))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("message", [b"\xff\xff\xff", b"\x0a\x7f"], ids=["wire", "length"])
def test_bytes_that_are_no_message_are_named_so(stack: Stack, method: str, message: bytes) -> None:
    call = stack.client(entry_of(stack)).channels[0].unary_unary(f"{SERVICE}/{method}")
    _assert_malformed(lambda: call(message, timeout=15))


def test_texts_that_are_no_utf8_are_malformed(stack: Stack) -> None:
    channel = stack.client(entry_of(stack)).channels[0]
    for method, message in (("SubmitJob", b"\x12\x02\xff\xfe"), ("CancelJob", b"\x0a\x01\xff")):
        call = channel.unary_unary(f"{SERVICE}/{method}")
        _assert_malformed(lambda call=call, message=message: call(message, timeout=15))


def _assert_malformed(call: Callable[[], object]) -> None:
    rejection = rejection_of(call)
    assert (rejection.code, rejection.reason) == ("INVALID_ARGUMENT", "MALFORMED_MESSAGE")
    assert rejection.metadata == {"outcome": "definite"}


def test_giant_messages_are_refused_and_not_kept(stack: Stack) -> None:
    options = [*connect.OWN_CONNECTION, ("grpc.max_send_message_length", -1)]
    client = stack.client(entry_of(stack))
    before = {job.job_id for job in client.all_jobs()}
    with connect.channel(address_of_entry(stack), options) as channel:
        call = channel.unary_unary(SUBMIT)
        memory = []
        for _ in range(4):
            for size in (MIB + 1, 16 * MIB - 200, 16 * MIB + 1, 40 * MIB):
                message = pb.SubmitJobRequest(job=spec("noop", bytes(size))).SerializeToString()
                for _ in range(3):
                    rejection = rejection_of(lambda message=message: call(message, timeout=30))
                    wanted = "INVALID_ARGUMENT" if size < 16 * MIB else "RESOURCE_EXHAUSTED"
                    assert rejection.code == wanted, rejection
            for text in ("kind", "request_id"):
                job = pb.JobSpec(kind="x" * (15 * MIB) if text == "kind" else "noop")
                request = pb.SubmitJobRequest(
                    job=job, request_id="x" * (15 * MIB) if text == "request_id" else ""
                )
                raw = request.SerializeToString()
                assert rejection_of(lambda raw=raw: call(raw)).code == "INVALID_ARGUMENT"
            memory.append(memory_of(stack, entry_of(stack)))
    assert {job.job_id for job in client.all_jobs()} == before
    # Freed pieces of this size stay with the allocator, to a degree. Each round has 170 MiB.
    assert memory[3] - memory[1] < 96 * MIB
    assert_serves(stack)


def _answer(stack: Stack, headers: dict[str, str | bytes], path: str = SUBMIT) -> str:
    """Return the status of a call with an empty message and these headers."""
    with Connection(address_of_entry(stack)) as connection:
        connection.send(connection.headers(1, path, headers))
        connection.send_message(1, b"")
        return connection.status_of(1)


INTERNAL = {"13", "reset 2"}
HEADERS: Sequence[tuple[str, str | bytes, set[str]]] = [
    # Codes 3 INVALID_ARGUMENT, 4 DEADLINE_EXCEEDED, 7 PERMISSION_DENIED, 8 RESOURCE_EXHAUSTED; the
    # transport says 13 INTERNAL to what is no deadline or no encoding, or resets the stream by the
    # error of HTTP/2 that clients show as that.
    ("grpc-timeout", "soon", INTERNAL),
    ("grpc-timeout", "-1S", INTERNAL),
    ("grpc-timeout", "1", INTERNAL),
    ("grpc-timeout", b"\xff\xff", INTERNAL),
    ("grpc-timeout", "99999999H", {"3"}),
    ("grpc-timeout", "0n", {"4"}),
    ("grpc-encoding", "none such", INTERNAL),
    ("x-correlation-id", "y" * 7_000, {"3"}),
    ("x-correlation-id", b"\xff\x00\x01", {"3"}),
    ("x-taskqueue-caller", "worker", {"7"}),
    ("x-taskqueue-caller", "y" * 7_000, {"7"}),
    ("x-taskqueue-caller", b"\xff", {"7"}),
    ("x-taskqueue-caller", "", {"3", "7"}),
    ("x-taskqueue-secret", "y" * 7_000, {"3"}),
    ("x-taskqueue-secret", b"\xff", {"3"}),
    ("x-some-bin", "!!!", {*INTERNAL, "3"}),
]


@pytest.mark.parametrize(("name", "value", "statuses"), HEADERS)
def test_odd_headers(stack: Stack, name: str, value: str | bytes, statuses: set[str]) -> None:
    assert _answer(stack, {name: value}) in statuses
    assert_serves(stack)
    assert_no_defects(stack)


@pytest.mark.parametrize("secret", ["", "ä", b"\xff\xfe", b"\x00", "y" * 7_000], ids=repr)
def test_no_secret_that_somebody_makes_up_lets_a_client_be_a_node(
    stack: Stack, secret: str | bytes
) -> None:
    headers = {"x-taskqueue-caller": "node", "x-taskqueue-secret": secret}
    # gRPC itself refuses some bytes as an answer of 13.
    assert _answer(stack, headers, LIST) in {"7", "13"}
    assert_serves(stack)
    assert_no_defects(stack)


def test_any_correlation_id_can_come_along(stack: Stack) -> None:
    @FUZZED
    @given(st.binary(max_size=300))
    def send(value: bytes) -> None:
        # A list is asked of other processes, and the id travels with it.
        assert _answer(stack, {"x-correlation-id": value}, LIST) == "0"

    send()
    assert_serves(stack)
    assert_no_defects(stack)


def test_a_call_with_a_second_message_is_refused_and_does_nothing(stack: Stack) -> None:
    client = stack.client(entry_of(stack))
    before = {job.job_id for job in client.all_jobs()}
    message = message_frame(pb.SubmitJobRequest(job=jobs.noop()).SerializeToString())
    with Connection(address_of_entry(stack)) as connection:
        # In one frame, in two, and with the second message only once the first is there.
        connection.send(connection.headers(1), connection.headers(3), connection.headers(5))
        connection.send_data(1, message * 2)
        connection.send(DataFrame(3, message), DataFrame(3, message, flags=["END_STREAM"]))
        connection.send(DataFrame(5, message))
        assert connection.status_of(3) == "3"
        connection.send_data(5, message)
        assert connection.status_of(5) == "3"
    call = client.channels[0].stream_unary(SUBMIT)
    _assert_malformed(lambda: call(iter([message[5:]] * 2), timeout=15))
    assert {job.job_id for job in client.all_jobs()} == before
    assert client.channels[0].stream_unary(SUBMIT)(iter([message[5:]]), timeout=15)


@pytest.mark.parametrize("parts", [b"", b"\0", message_frame(b"abc")[:6]], ids=["no", "1", "6"])
def test_a_call_that_ends_before_its_message_is_answered(stack: Stack, parts: bytes) -> None:
    with Connection(address_of_entry(stack)) as connection:
        connection.send(connection.headers(1))
        connection.send_data(1, parts)
        assert connection.status_of(1) in {"3", "13"}
    assert_serves(stack)

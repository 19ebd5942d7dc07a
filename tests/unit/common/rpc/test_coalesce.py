"""What is asked of a peer while calls to it are under way goes together, and is answered apart."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from common import context
from common.domain.errors import (
    DeadlineAlreadyPast,
    DeadlineExceeded,
    InternalError,
    InvalidArgument,
    MalformedJobId,
    OwnerUnreachable,
    QueueFull,
    Stopping,
    TaskQueueError,
)
from common.domain.job import MAX_BATCH_BYTES
from common.flows import coalesce
from common.flows.coalesce import MAX_ENTRIES
from common.gen.taskqueue.internal.v1 import job_service_pb2 as pb
from common.gen.taskqueue.internal.v1.entries_pb2 import EntryError, JobRecordEntry
from common.rpc import metadata, status
from common.rpc.channel import Peer
from common.rpc.coalesce import Coalescer
from common.rpc.outbound import ClientMetrics

LONG, SHORT = 30.0, 0.05
"""Seconds of a deadline that does not pass in a test, and of one that does."""
WHERE: ContextVar[str] = ContextVar("where", default="nowhere")


@dataclass(eq=False)
class Call:
    """A call that the peer has, until a test has it answered."""

    entries: list[str]
    timeout: float
    metadata: dict[str, str]
    where: str
    answer: asyncio.Future[pb.GetJobRecordResponse] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def succeed(self) -> None:
        """Give every entry its answer."""
        self.answer.set_result(_response(self.entries))

    def fail(self, error: TaskQueueError) -> None:
        """Refuse the call, as a server does."""
        wire = status.to_grpc(error)
        trailing = grpc.aio.Metadata(*wire.trailing_metadata)
        self.lose(wire.code, wire.details, trailing)

    def lose(
        self,
        code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
        details: str = "reset",
        trailing: Any = None,
    ) -> None:
        """End the call with a status."""
        nothing = grpc.aio.Metadata()
        error = grpc.aio.AioRpcError(code, nothing, trailing or nothing, details)
        self.answer.set_exception(error)


class Callee:
    """The method of a peer. One that ``answers`` waits for no test."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers = False
        self.malformed: set[str] = set()

    async def __call__(
        self,
        request: pb.GetJobRecordRequest,
        timeout: float,  # noqa: ASYNC109
        metadata: Any,
    ) -> pb.GetJobRecordResponse:
        call = Call(list(request.job_ids), timeout, dict(metadata), WHERE.get())
        self.calls.append(call)
        if bad := self.malformed.intersection(call.entries):
            call.fail(MalformedJobId("job_id", f"{sorted(bad)} cannot be"))
        elif self.answers:
            call.succeed()
        return await call.answer

    @property
    def sent(self) -> list[list[str]]:
        """The entries of each call."""
        return [call.entries for call in self.calls]


@pytest.fixture
def callee() -> Callee:
    return Callee()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def peer(registry: CollectorRegistry) -> AsyncIterator[Peer]:
    peer = Peer("job", "127.0.0.1:1", "gateway", LONG, ClientMetrics(registry))
    yield peer
    await peer.close()


@pytest.fixture
async def coalescer(peer: Peer, callee: Callee) -> AsyncIterator[Coalescer[str, str]]:
    """What is tested; nothing of it is left behind once everyone who asked was answered."""
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks()
    WHERE.set("the process")
    coalescer: Coalescer[str, str] = _made(peer, callee)
    WHERE.set("the test")
    forgotten: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, what: forgotten.append(what))
    yield coalescer
    await _turns()
    loop.set_exception_handler(None)
    timers = [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
    assert (asyncio.all_tasks() - before - {asyncio.current_task()}, timers, forgotten) == (
        set(),
        [],
        [],
    )
    assert not coalescer._waiting
    assert not coalescer._calls


def _made(peer: Peer, callee: Callee) -> Coalescer[str, str]:
    return Coalescer(
        peer,
        callee,
        lambda ids: pb.GetJobRecordRequest(job_ids=ids),
        lambda response: [entry.error.message for entry in response.entries],
    )


def _response(entries: list[str]) -> pb.GetJobRecordResponse:
    errors = [EntryError(reason="JOB_NOT_FOUND", message=f"of {each}") for each in entries]
    return pb.GetJobRecordResponse(entries=[JobRecordEntry(error=error) for error in errors])


async def _turns(number: int = 8) -> None:
    """Let the loop turn until all that does not wait for a test has been done."""
    for _ in range(number):
        await asyncio.sleep(0)


def _ask(
    coalescer: Coalescer[str, str], *entries: str, within: float = LONG, correlation: str = ""
) -> asyncio.Task[list[str]]:
    async def call() -> list[str]:
        with context.call(correlation or f"id-{entries[0]}", within):
            return await coalescer.call(entries)

    return asyncio.create_task(call())


async def _behind_one(
    coalescer: Coalescer[str, str], callee: Callee, *names: str
) -> tuple[asyncio.Task[list[str]], list[asyncio.Task[list[str]]]]:
    """Have one call under way and the others wait for its end."""
    first = _ask(coalescer, "first")
    await _turns()
    waiting = [_ask(coalescer, name) for name in names]
    await _turns()
    assert callee.sent == [["first"]]
    return first, waiting


# Together


async def test_lone_call_is_sent_at_once_with_its_own_deadline_and_correlation_id(
    coalescer, callee
):
    asked = _ask(coalescer, "a", "b", within=5.0, correlation="mine")
    await _turns()
    (call,) = callee.calls
    assert call.entries == ["a", "b"]
    assert 4 < call.timeout <= 5
    assert call.metadata[metadata.CORRELATION_ID] == "mine"
    assert call.metadata[metadata.CALLER] == "gateway"
    call.succeed()
    assert await asked == ["of a", "of b"]


async def test_what_is_asked_in_one_turn_of_the_loop_goes_in_one_call(coalescer, callee):
    callee.answers = True
    asked = [_ask(coalescer, name) for name in "abc"]
    assert await asyncio.gather(*asked) == [["of a"], ["of b"], ["of c"]]
    assert callee.sent == [["a", "b", "c"]]


async def test_what_is_asked_while_a_call_is_under_way_goes_together_in_the_next(coalescer, callee):
    first, (one, other) = await _behind_one(coalescer, callee, "a", "b")
    callee.calls[0].succeed()
    await _turns()
    assert callee.sent == [["first"], ["a", "b"]]
    callee.calls[1].succeed()
    assert [await each for each in (other, first, one)] == [["of b"], ["of first"], ["of a"]]


async def test_each_is_given_the_answers_to_its_own_entries_in_their_order(coalescer, callee):
    first, _ = await _behind_one(coalescer, callee)
    asked = [_ask(coalescer, *names) for names in ("cab", "x", "ba")]
    await _turns()
    callee.answers = True
    callee.calls[0].succeed()
    assert await asyncio.gather(*asked) == [["of c", "of a", "of b"], ["of x"], ["of b", "of a"]]
    assert callee.sent[1:] == [["c", "a", "b", "x", "b", "a"]]
    await first


async def test_no_entries_need_no_call(coalescer, callee):
    assert await coalescer.call([]) == []
    assert callee.calls == []


async def test_call_carries_a_number_of_entries_and_the_next_call_those_behind(coalescer, callee):
    first, _ = await _behind_one(coalescer, callee)
    half = MAX_ENTRIES // 2
    asked = [_ask(coalescer, *([name] * half)) for name in "abc"]
    await _turns()
    callee.answers = True
    callee.calls[0].succeed()
    await asyncio.gather(first, *asked)
    assert callee.sent[1:] == [["a"] * half + ["b"] * half, ["c"] * half]


async def test_call_carries_a_number_of_bytes(coalescer, callee):
    first, _ = await _behind_one(coalescer, callee)
    half = MAX_BATCH_BYTES // 2
    asked = [_ask(coalescer, name * half, correlation=name) for name in "abc"]
    await _turns()
    callee.answers = True
    callee.calls[0].succeed()
    await asyncio.gather(first, *asked)
    assert [len(entries) for entries in callee.sent[1:]] == [2, 1]


async def test_one_who_asks_for_more_than_a_call_carries_has_a_call_of_its_own(coalescer, callee):
    callee.answers = True
    many = [str(number) for number in range(MAX_ENTRIES + 1)]
    asked = [_ask(coalescer, *entries) for entries in (["a"], many, ["b"])]
    answers = await asyncio.gather(*asked)
    assert answers[1] == [f"of {each}" for each in many]
    assert callee.sent == [["a"], many, ["b"]]


async def test_entries_are_counted(coalescer, callee, registry):
    callee.answers = True
    await asyncio.gather(*(_ask(coalescer, name) for name in "abc"))
    labels = {
        "grpc_service": "taskqueue.internal.v1.JobService",
        "grpc_method": "GetJobRecord",
        "peer": "job",
    }
    assert registry.get_sample_value("taskqueue_sent_entries_total", labels) == 3


# Deadlines


async def test_call_for_several_has_the_longest_of_their_deadlines(coalescer, callee):
    asked = [_ask(coalescer, name, within=within) for name, within in (("a", 5), ("b", 20))]
    await _turns()
    (call,) = callee.calls
    assert 19 < call.timeout <= 20
    call.succeed()
    await asyncio.gather(*asked)


async def test_one_whose_time_runs_out_unsent_is_answered_that_nothing_happened(coalescer, callee):
    first, _ = await _behind_one(coalescer, callee)
    late, patient = _ask(coalescer, "late", within=SHORT), _ask(coalescer, "patient")
    with pytest.raises(DeadlineAlreadyPast) as raised:
        await late
    assert raised.value.definite
    callee.answers = True
    callee.calls[0].succeed()
    await asyncio.gather(first, patient)
    assert callee.sent == [["first"], ["patient"]]


async def test_one_whose_time_runs_out_in_a_call_may_have_been_served_and_the_others_wait_on(
    coalescer, callee
):
    late, patient = _ask(coalescer, "late", within=SHORT), _ask(coalescer, "patient")
    with pytest.raises(DeadlineExceeded) as raised:
        await late
    assert not raised.value.definite
    (call,) = callee.calls
    assert not call.answer.cancelled()
    call.succeed()
    assert await patient == ["of patient"]


async def test_call_for_which_all_time_has_run_out_is_canceled(coalescer, callee):
    late = _ask(coalescer, "late", within=SHORT)
    with pytest.raises(DeadlineExceeded):
        await late
    await _turns()
    assert callee.calls[0].answer.cancelled()


async def test_one_that_expires_just_when_the_next_call_begins_is_not_sent(coalescer, callee):
    first, _ = await _behind_one(coalescer, callee)
    late, patient = _ask(coalescer, "late", within=SHORT), _ask(coalescer, "patient")
    await _turns()
    callee.answers = True
    callee.calls[0].succeed()
    # In the next turn of the loop the first call ends, and the time of one that waits.
    time.sleep(2 * SHORT)  # noqa: ASYNC251
    with pytest.raises(DeadlineAlreadyPast):
        await late
    await asyncio.gather(first, patient)
    assert callee.sent == [["first"], ["patient"]]


async def test_one_without_time_left_is_refused_and_nothing_is_sent(coalescer, callee):
    with pytest.raises(DeadlineExceeded):
        await _ask(coalescer, "late", within=0.0)
    assert callee.calls == []


async def test_those_behind_a_peer_that_is_frozen_are_let_go_in_their_own_time(coalescer, callee):
    sent, _ = await _behind_one(coalescer, callee)
    asked = [_ask(coalescer, str(number), within=SHORT) for number in range(3)]
    ends = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(end) for end in ends] == [DeadlineAlreadyPast] * 3
    assert not sent.done()
    callee.answers = True
    callee.calls[0].succeed()
    assert await _ask(coalescer, "thawed") == ["of thawed"]
    assert await sent == ["of first"]
    assert callee.sent == [["first"], ["thawed"]]


# Cancellation


async def test_one_that_is_canceled_leaves_the_others(coalescer, callee):
    one, other = _ask(coalescer, "a"), _ask(coalescer, "b")
    await _turns()
    one.cancel()
    await _turns()
    callee.calls[0].succeed()
    assert await other == ["of b"]
    assert one.cancelled()


async def test_call_for_which_nobody_waits_any_more_is_canceled(coalescer, callee):
    asked = [_ask(coalescer, name) for name in "ab"]
    await _turns()
    for task in asked:
        assert not callee.calls[0].answer.cancelled()
        task.cancel()
    await _turns()
    assert callee.calls[0].answer.cancelled()
    callee.answers = True
    assert await _ask(coalescer, "next") == ["of next"]


async def test_one_that_is_canceled_unsent_is_never_sent(coalescer, callee):
    first, (one, other) = await _behind_one(coalescer, callee, "a", "b")
    callee.answers = True
    callee.calls[0].succeed()
    one.cancel()
    assert await asyncio.gather(first, other) == [["of first"], ["of b"]]
    await _turns()
    assert callee.sent == [["first"], ["b"]]


@pytest.mark.parametrize("turns", range(8))
async def test_one_that_is_canceled_just_when_the_next_call_begins_harms_nobody(
    coalescer, callee, turns
):
    first, (one, other) = await _behind_one(coalescer, callee, "a", "b")
    callee.answers = True
    callee.calls[0].succeed()
    await _turns(turns)
    one.cancel()
    assert await other == ["of b"]
    await first
    assert callee.sent in ([["first"], ["b"]], [["first"], ["a", "b"]])


# Errors


async def test_lost_call_fails_all_in_it_as_indefinite_each_with_an_error_of_its_own(
    coalescer, callee
):
    asked = [_ask(coalescer, name) for name in "ab"]
    await _turns()
    callee.calls[0].lose()
    errors = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in errors] == [OwnerUnreachable] * 2
    assert not any(error.definite for error in errors)
    assert errors[0] is not errors[1]
    assert "job is out of reach: reset" in str(errors[0])
    assert errors[0].__cause__ is not None


@pytest.mark.parametrize("refusal", [Stopping("job"), QueueFull("calls", 3)])
async def test_call_that_is_refused_is_refused_to_all_in_it(coalescer, callee, refusal):
    asked = [_ask(coalescer, name) for name in "ab"]
    await _turns()
    callee.calls[0].fail(refusal)
    errors = await asyncio.gather(*asked, return_exceptions=True)
    assert [(type(error), error.definite) for error in errors] == [(type(refusal), True)] * 2
    assert errors[0].metadata == refusal.metadata


async def test_lost_call_is_no_others_loss(coalescer, callee):
    first, (after,) = await _behind_one(coalescer, callee, "after")
    callee.answers = True
    callee.calls[0].lose()
    with pytest.raises(OwnerUnreachable):
        await first
    assert await after == ["of after"]


async def test_entry_that_the_server_cannot_read_is_refused_to_the_one_who_sent_it(
    coalescer, callee
):
    callee.answers, callee.malformed = True, {"bad"}
    names = ["a", "b", "bad", "c", "d"]
    answers = await asyncio.gather(
        *(_ask(coalescer, name) for name in names), return_exceptions=True
    )
    (refused,) = [answer for answer in answers if isinstance(answer, TaskQueueError)]
    assert answers.index(refused) == 2
    assert isinstance(refused, InvalidArgument)
    assert [each for each in answers if each is not refused] == [
        [f"of {name}"] for name in names if name != "bad"
    ]


async def test_one_bad_entry_among_many_costs_few_calls_more(coalescer, callee):
    callee.answers, callee.malformed = True, {"7"}
    asked = [_ask(coalescer, str(number)) for number in range(64)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [number for number, each in enumerate(answers) if isinstance(each, Exception)] == [7]
    assert len(callee.calls) <= 1 + 2 * 6


async def test_one_who_left_is_not_sent_again_when_a_refused_call_is_taken_apart(coalescer, callee):
    names = ["bad", "left", "a"]
    asked = {name: _ask(coalescer, name) for name in names}
    await _turns()
    asked["left"].cancel()
    await _turns()
    callee.answers, callee.malformed = True, {"bad"}
    callee.calls[0].fail(MalformedJobId("job_id", "cannot be"))
    assert await asked["a"] == ["of a"]
    with pytest.raises(MalformedJobId):
        await asked["bad"]
    assert all("left" not in entries for entries in callee.sent[1:])


@pytest.mark.parametrize("given", [[], ["a"], ["a", "b", "c"]])
async def test_wrong_number_of_answers_is_nobodys_answer(coalescer, callee, given):
    asked = [_ask(coalescer, name) for name in "ab"]
    await _turns()
    callee.calls[0].answer.set_result(_response(given))
    errors = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in errors] == [InternalError] * 2
    assert f"job gave {len(given)} answers to 2 entries" in str(errors[0])


async def test_defect_is_logged_and_fails_those_in_the_call_and_none_after_it(
    coalescer, callee, caplog
):
    caplog.set_level(logging.ERROR)
    asked = [_ask(coalescer, name) for name in "ab"]
    await _turns()
    callee.calls[0].answer.set_exception(KeyError("defect"))
    errors = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in errors] == [InternalError] * 2
    (record,) = caplog.records
    assert isinstance(record.exc_info[1], KeyError)
    callee.answers = True
    assert await _ask(coalescer, "after") == ["of after"]


# Correlation and contexts


async def test_call_for_several_has_all_their_correlation_ids_each_once(coalescer, callee):
    callee.answers = True
    ids = ("x", "y", "x", "z")
    await asyncio.gather(*(_ask(coalescer, "e", correlation=each) for each in ids))
    assert callee.calls[0].metadata[metadata.CORRELATION_ID] == "x,y,z"


def test_correlation_ids_that_do_not_fit_are_left_out_whole():
    ids = [f"{number:064}" for number in range(100)]
    joined = context.joined(ids)
    assert joined.split(",") == ids[:63]
    assert metadata.correlation_of({metadata.CALLER: "gateway", metadata.CORRELATION_ID: joined})


async def test_call_is_made_in_the_context_of_the_process_and_not_of_one_who_asked(
    coalescer, callee
):
    callee.answers = True
    await asyncio.gather(*(_ask(coalescer, name) for name in "ab"))
    await _ask(coalescer, "c")
    assert [call.where for call in callee.calls] == ["the process"] * 2


async def test_time_that_a_handling_waits_counts_once_and_for_each_that_waits(
    coalescer, callee, monkeypatch
):
    now = iter(range(100))
    monkeypatch.setattr(coalesce.time, "perf_counter", lambda: float(next(now)))
    handlings = [context.Handling("SubmitJob"), context.Handling("CancelJob")]

    async def handle(handling: context.Handling) -> None:
        token = context.handle(handling)
        await asyncio.gather(coalescer.call(["a"]), coalescer.call(["b"]))
        context.unhandle(token)

    callee.answers = True
    await asyncio.gather(*map(handle, handlings))
    assert len(callee.calls) == 1
    assert all(0 < handling.waited < 20 for handling in handlings)
    assert all(handling._under_way == 0 for handling in handlings)
    monkeypatch.undo()


async def test_call_is_counted_within_the_method_that_asked_first(coalescer, callee, registry):
    callee.answers = True
    token = context.handle(context.Handling("SubmitJob"))
    await coalescer.call(["a"])
    context.unhandle(token)
    labels = {
        "grpc_type": "unary",
        "grpc_service": "taskqueue.internal.v1.JobService",
        "grpc_method": "GetJobRecord",
        "peer": "job",
        "grpc_code": "OK",
    }
    found = registry.get_sample_value(
        "grpc_client_handled_total", {**labels, "within": "SubmitJob"}
    )
    assert found == 1

"""What a link does to the calls that go through it, over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from common.domain.errors import JobNotFound
from common.links.fault import NONE, Delay, LinkFault
from common.rpc import metadata, status
from tests.support.waiting import eventually_async as eventually
from tests.unit.common.links.callee import (
    ECHO,
    FAIL,
    FOREVER,
    HANG,
    SOON,
    Callee,
    Way,
    code_of,
    linked,
    serving,
)

BRIEF = 0.3


@pytest.fixture
async def way() -> AsyncIterator[Way]:
    """A callee that serves, and a link to it."""
    callee = Callee()
    async with serving(callee), linked(callee) as led:
        yield led


async def test_call_arrives_as_it_was_made_and_so_does_its_answer(way: Way) -> None:
    request = bytes(range(256)) * 4096
    call = way.call(ECHO, request, timeout=20, caller="gateway", correlation="abc")
    assert await call == request
    assert ("x-trailing", "kept") in tuple(await call.trailing_metadata())
    received = way.callee.received.get_nowait()
    assert (received.method, received.request) == (ECHO, request)
    assert received.metadata[metadata.CALLER] == "gateway"
    assert received.metadata[metadata.CORRELATION_ID] == "abc"
    assert 0 < received.time_left <= 20
    assert way.link.counts.forwarded == 1


async def test_error_keeps_its_code_its_text_and_its_details(way: Way) -> None:
    way.callee.error = status.to_grpc(JobNotFound("j1"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await way.call(FAIL)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == JobNotFound("j1").message
    info = status.error_info(caught.value)
    assert info is not None
    assert (info.reason, info.metadata["outcome"]) == ("JOB_NOT_FOUND", "definite")


async def test_cancel_and_deadline_of_a_caller_reach_the_callee(way: Way) -> None:
    call = way.call(HANG)
    waiting = asyncio.create_task(code_of(call))
    await asyncio.wait_for(way.callee.received.get(), SOON)
    call.cancel()
    await asyncio.wait_for(way.callee.canceled.wait(), SOON)
    await asyncio.gather(waiting, return_exceptions=True)

    way.callee.canceled.clear()
    assert await code_of(way.call(HANG, timeout=BRIEF)) == "DEADLINE_EXCEEDED"
    await asyncio.wait_for(way.callee.canceled.wait(), SOON)


async def test_lost_request_never_reaches_the_callee_and_is_never_answered(way: Way) -> None:
    way.link.set(LinkFault(lose_requests=True))
    assert await code_of(way.call(ECHO, timeout=BRIEF)) == "DEADLINE_EXCEEDED"
    assert way.callee.calls() == 0
    assert (way.link.counts.lost_requests, way.link.counts.forwarded) == (1, 0)
    way.link.set(NONE)
    assert await way.call(ECHO, b"healed") == b"healed"


async def test_lost_answer_is_that_of_a_call_which_was_served(way: Way) -> None:
    way.link.set(LinkFault(lose_answers=True))
    assert await code_of(way.call(ECHO, b"served", timeout=BRIEF)) == "DEADLINE_EXCEEDED"
    assert way.callee.received.get_nowait().request == b"served"
    assert (way.link.counts.lost_answers, way.link.counts.forwarded) == (1, 1)
    way.callee.error = status.to_grpc(JobNotFound("j1"))
    assert await code_of(way.call(FAIL, timeout=BRIEF)) == "DEADLINE_EXCEEDED"


async def test_answer_is_lost_if_the_cut_came_while_the_callee_was_at_work(way: Way) -> None:
    # Held up on its way, so that the cut comes before the answer.
    way.link.set(LinkFault(delay_answers=Delay(fixed=0.2)))
    call = asyncio.create_task(code_of(way.call(ECHO, timeout=1.0)))
    await asyncio.wait_for(way.callee.received.get(), SOON)
    way.link.set(LinkFault(lose_answers=True))
    assert await call == "DEADLINE_EXCEEDED"
    assert way.link.counts.lost_answers == 1


async def test_delayed_messages_arrive_and_are_counted_each(way: Way) -> None:
    late = Delay(fixed=0.01, random=0.01)
    way.link.set(LinkFault(delay_requests=late, delay_answers=late))
    assert await way.call(ECHO, b"late") == b"late"
    assert way.link.counts.delayed == 2


async def test_request_that_is_late_beyond_its_deadline_does_not_arrive(way: Way) -> None:
    way.link.set(LinkFault(delay_requests=Delay(fixed=FOREVER)))
    assert await code_of(way.call(ECHO, timeout=BRIEF)) == "DEADLINE_EXCEEDED"
    assert way.callee.calls() == 0


async def test_repeated_call_arrives_twice_and_its_caller_has_the_first_answer(way: Way) -> None:
    way.link.set(LinkFault(repeat_part=1.0, repeat_within=0.05))
    assert await way.call(ECHO, b"twice", caller="worker") == b"twice"
    received = [await asyncio.wait_for(way.callee.received.get(), SOON) for _ in range(2)]
    assert [each.request for each in received] == [b"twice", b"twice"]
    assert {each.metadata[metadata.CALLER] for each in received} == {"worker"}
    assert (way.link.counts.forwarded, way.link.counts.repeated) == (1, 1)


async def test_second_time_that_fails_is_nobodys_business(way: Way) -> None:
    way.link.set(LinkFault(repeat_part=1.0))
    way.callee.error = status.to_grpc(JobNotFound("j1"))
    assert await code_of(way.call(FAIL)) == "NOT_FOUND"
    for _ in range(2):
        await asyncio.wait_for(way.callee.received.get(), SOON)
    way.link.set(NONE)
    assert await way.call(ECHO) == b"x"


async def again(way: Way) -> bytes:
    """Call until a callee that was away answers."""
    end = asyncio.get_running_loop().time() + SOON
    while True:
        try:
            return await way.call(ECHO, b"back", timeout=SOON)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            if asyncio.get_running_loop().time() > end:
                raise
            await asyncio.sleep(0.05)


async def test_callee_that_comes_back_is_found_again_through_the_link() -> None:
    callee = Callee()
    async with serving(callee):
        pass
    async with linked(callee) as way:
        assert await code_of(way.call(ECHO, timeout=5)) == "UNAVAILABLE"
        async with serving(callee):
            answer = await again(way)
            assert answer == b"back"


async def test_calls_that_are_lost_do_not_hold_up_the_end_of_a_link() -> None:
    callee = Callee()
    async with serving(callee):
        async with linked(callee) as way:
            way.link.set(LinkFault(lose_requests=True))
            lost = asyncio.create_task(code_of(way.call(ECHO)))
            await eventually(lambda: way.link.counts.lost_requests)
        assert await asyncio.wait_for(lost, SOON) in {"UNAVAILABLE", "CANCELLED"}


async def test_call_that_the_callee_gave_up_is_given_up_for_its_caller_alone() -> None:
    callee = Callee()
    async with serving(callee) as server, linked(callee) as way:
        given_up = asyncio.create_task(code_of(way.call(HANG)))
        await asyncio.wait_for(callee.received.get(), SOON)
        await server.stop(0)
        assert await asyncio.wait_for(given_up, SOON) in {"UNAVAILABLE", "CANCELLED"}

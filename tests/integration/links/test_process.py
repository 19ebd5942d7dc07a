"""The process of the links: its settings, and what it reports of itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from common.config import ConfigError, Settings
from common.gen.testbed.links.v1 import link_service_pb2 as pb
from common.gen.testbed.links.v1.link_service_pb2_grpc import LinkServiceStub
from common.links.__main__ import assemble, made
from common.links.fault import LinkFault
from common.links.wire import fault_from
from common.rpc import connect, metadata, status
from common.rpc.process import Process
from tests.support.ports import free_port
from tests.support.waiting import INTERVAL
from tests.unit.common.links.callee import ECHO, Callee, serving


@pytest.fixture
def first() -> int:
    """The port of the first link."""
    return free_port()


@pytest.fixture
async def process(first: int) -> AsyncIterator[Process]:
    """A process with the links ``a>c`` and ``b>c``."""
    callee = Callee()
    async with serving(callee):
        settings = Settings(
            name="links",
            listen="127.0.0.1:0",
            metrics="127.0.0.1:0",
            peers={"c": f"127.0.0.1:{callee.port}"},
            links={"a>c": f"127.0.0.1:{first}", "b>c": f"127.0.0.1:{free_port()}"},
        )
        process = Process(settings)
        assemble(process)
        await process.start()
        yield process
        await process.stop()


@pytest.fixture
async def links(process: Process) -> AsyncIterator[LinkServiceStub]:
    """What faults are set with."""
    async with connect.aio_channel(f"127.0.0.1:{process.port}") as control:
        yield LinkServiceStub(control)


@pytest.fixture
async def channel(process: Process, first: int) -> AsyncIterator[grpc.aio.Channel]:
    """A caller's end of the first link."""
    async with connect.aio_channel(f"127.0.0.1:{first}") as link:
        yield link


async def shown_after_a_loss(links: LinkServiceStub) -> list[pb.Link]:
    """Return what is known of the links once the first has lost a request."""
    async with asyncio.timeout(20):
        while True:
            shown = (await links.GetLinks(pb.GetLinksRequest())).links
            if shown[0].counts.lost_requests:
                return list(shown)
            await asyncio.sleep(INTERVAL)


async def test_fault_is_set_on_one_link_shown_and_cleared(
    links: LinkServiceStub, channel: grpc.aio.Channel
) -> None:
    fault = pb.Fault(lose_requests=True)
    answer = await links.SetLink(pb.SetLinkRequest(caller="a", callee="c", fault=fault), timeout=5)
    assert fault_from(answer.link.fault) == LinkFault(lose_requests=True)
    unanswered = channel.unary_unary(ECHO)(b"x", timeout=60)
    first, second = await shown_after_a_loss(links)
    assert not unanswered.done()
    unanswered.cancel()
    assert (first.caller, first.callee) == ("a", "c")
    assert fault_from(first.fault) == LinkFault(lose_requests=True)
    assert (second.caller, second.HasField("fault")) == ("b", False)
    assert first.counts == pb.Counts(lost_requests=1)

    other = await links.ClearLinks(pb.ClearLinksRequest(caller="b"), timeout=5)
    assert other.cleared == 0
    cleared = await links.ClearLinks(pb.ClearLinksRequest(callee="c"), timeout=5)
    assert cleared.cleared == 1
    assert await channel.unary_unary(ECHO)(b"x", timeout=5) == b"x"


async def test_metrics_count_for_each_link_from_the_start(
    process: Process, channel: grpc.aio.Channel
) -> None:
    def count(name: str, caller: str) -> float | None:
        labels = {"caller": caller, "callee": "c"}
        return process.registry.get_sample_value(f"taskqueue_link_{name}_total", labels)

    names = ("forwarded", "lost_requests", "lost_answers", "delayed", "repeated")
    assert [count(name, "b") for name in names] == [0] * 5
    await channel.unary_unary(ECHO)(b"x", timeout=5)
    assert [count(name, "a") for name in names] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (pb.SetLinkRequest(caller="c", callee="a"), "there is no link c>a; links: a>c, b>c"),
        (
            pb.SetLinkRequest(caller="a", callee="c", fault=pb.Fault(repeat_part=2)),
            "not 0 to 1",
        ),
    ],
)
async def test_link_and_fault_that_cannot_be_are_refused(
    links: LinkServiceStub, request_: pb.SetLinkRequest, text: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=text) as caught:
        await links.SetLink(request_, timeout=5)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_only_clients_may_set_faults(links: LinkServiceStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await links.GetLinks(
            pb.GetLinksRequest(), timeout=5, metadata=((metadata.CALLER, "worker"),)
        )
    info = status.error_info(caught.value)
    assert info is not None
    assert info.reason == "CALLER_NOT_ALLOWED"


@pytest.mark.parametrize("name", ["a-c", "a>d"])
def test_link_that_leads_nowhere_is_a_wrong_configuration(name: str) -> None:
    settings = Settings("links", "127.0.0.1:0", "127.0.0.1:0", {"c": "x:1"}, links={name: "y:2"})
    with pytest.raises(ConfigError, match="is not CALLER>PEER"):
        made(settings)

"""The layers, each with how to make the one call whose cost is measured.

A layer *alone* is called on stand-ins, so nothing but Python is measured, each call in a task, as
gRPC does it; a *whole call* goes over loopback, with client and server in this process, so its
cost is that of both ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
from prometheus_client import CollectorRegistry

from common.config import Settings
from common.flows.background import Background
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import (
    TaskQueueServiceServicer,
    TaskQueueServiceStub,
    add_TaskQueueServiceServicer_to_server,
)
from common.rpc import connect
from common.rpc.admission import Admission
from common.rpc.channel import Peer
from common.rpc.inbound import ServerMetrics
from common.rpc.interceptors import CallInterceptor
from common.rpc.outbound import ClientMetrics
from common.rpc.process import Process
from common.rpc.public import PublicServicer
from studies.percall.stub import PATH, REQUEST, RESPONSE, Answer, Context, Details, Queue

Call = Callable[[], Awaitable[object]]
Layer = Callable[[], AbstractAsyncContextManager[Call]]
SETTINGS = Settings(name="node-0", listen="127.0.0.1:0", metrics="127.0.0.1:0")
SERVICE = pb.DESCRIPTOR.services_by_name["TaskQueueService"]


class Servicer(TaskQueueServiceServicer):
    """Answers without doing anything."""

    async def GetJobStatus(self, request: object, context: object) -> pb.GetJobStatusResponse:
        """Give an answer that is made already."""
        return RESPONSE


def _interceptors(count: int) -> Sequence[Any]:
    """Return the outermost ``count`` of what every process has around a call."""
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry, [PATH])
    chain = [Admission(SETTINGS, metrics, registry), CallInterceptor(SETTINGS.default_deadline)]
    return chain[:count]


async def _handler(interceptors: Sequence[Any], servicer: Any) -> Any:
    if interceptors:

        async def inner(_details: object) -> Any:
            return await _handler(interceptors[1:], servicer)

        return await interceptors[0].intercept_service(inner, Details)
    return grpc.unary_unary_rpc_method_handler(
        servicer.GetJobStatus,
        pb.GetJobStatusRequest.FromString,
        pb.GetJobStatusResponse.SerializeToString,
    )


@asynccontextmanager
async def _servicer_alone() -> AsyncIterator[Call]:
    handler = await _handler((), Servicer())

    async def call() -> object:
        context = Context()
        request = handler.request_deserializer(await context.read())
        await context.read()
        return handler.response_serializer(await handler.unary_unary(request, context))

    yield lambda: asyncio.create_task(call())


def _intercepted(count: int, servicer: Any) -> Layer:
    @asynccontextmanager
    async def layer() -> AsyncIterator[Call]:
        handler = await _handler(_interceptors(count), servicer)

        yield lambda: asyncio.create_task(handler.stream_unary(None, Context()))

    return layer


@asynccontextmanager
async def _bare_stub_alone() -> AsyncIterator[Call]:
    async def call() -> object:
        return await Answer(REQUEST, timeout=5.0, metadata=())

    yield call


@asynccontextmanager
async def _peer_alone() -> AsyncIterator[Call]:
    peer = _peer("127.0.0.1:1")
    yield lambda: peer.call(Answer, REQUEST)
    await peer.close()


@asynccontextmanager
async def _work_alone() -> AsyncIterator[Call]:
    yield _work


@asynccontextmanager
async def _finished_alone() -> AsyncIterator[Call]:
    background = Background()
    yield lambda: background.finish(_work())


async def _work() -> int:
    return 1


def _peer(address: str) -> Peer:
    metrics = ClientMetrics(CollectorRegistry())
    return Peer("node-1", address, "client", SETTINGS.default_deadline, metrics, "s" * 32)


@asynccontextmanager
async def _bare_server() -> AsyncIterator[int]:
    server = grpc.aio.server()
    add_TaskQueueServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(None)


@asynccontextmanager
async def _our_server() -> AsyncIterator[int]:
    process = Process(SETTINGS)
    process.serve(SERVICE, add_TaskQueueServiceServicer_to_server, Servicer())
    await process.start()
    yield process.port
    await process.stop()


def _called(server: Callable[[], AbstractAsyncContextManager[int]], by_peer: bool = False) -> Layer:
    @asynccontextmanager
    async def layer() -> AsyncIterator[Call]:
        async with server() as port:
            address = f"127.0.0.1:{port}"
            peer = _peer(address)
            async with connect.aio_channel(address) as channel:
                stub = TaskQueueServiceStub(peer.channel if by_peer else channel)
                if by_peer:
                    yield lambda: peer.call(stub.GetJobStatus, REQUEST)
                else:
                    yield lambda: stub.GetJobStatus(REQUEST, timeout=5.0)
            await peer.close()

    return layer


# Group -> its layers from the inside out; each has what those before it in its group have.
LAYERS: dict[str, dict[str, Layer]] = {
    "server, alone": {
        "a task that reads, parses, answers, writes": _servicer_alone,
        "+ Admission, with metrics": _intercepted(1, Servicer()),
        "+ CallInterceptor": _intercepted(2, Servicer()),
        "+ PublicServicer": _intercepted(2, PublicServicer(Queue(), None)),  # type: ignore[arg-type]
    },
    "client, alone": {
        "a call that is answered at once": _bare_stub_alone,
        "+ Peer": _peer_alone,
    },
    "a submit that outlives its call, alone": {
        "work": _work_alone,
        "+ Background.finish": _finished_alone,
    },
    "whole call": {
        "grpc.aio: bare server, bare stub": _called(_bare_server),
        "+ Process: all around the server": _called(_our_server),
        "+ Peer": _called(_our_server, by_peer=True),
    },
}

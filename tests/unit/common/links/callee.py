"""A callee of any service, and a link to it, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from common.links.link import Link
from common.rpc import connect, metadata

ECHO, FAIL, HANG = "/any.Service/Echo", "/any.Service/Fail", "/any.Service/Hang"
# Seconds that no test waits for, and seconds after which one has failed.
FOREVER, SOON = 60.0, 15.0


@dataclass
class ReceivedCall:
    """A call as the callee got it."""

    method: str
    request: bytes
    metadata: dict[str, Any]
    time_left: float


@dataclass
class Callee(grpc.GenericRpcHandler):
    """Answers ``Echo`` with its request, ``Fail`` with ``error``, ``Hang`` never."""

    error: grpc.Status | None = None
    received: asyncio.Queue[ReceivedCall] = field(default_factory=asyncio.Queue)
    canceled: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def answer(request: bytes, context: Any) -> bytes:
            pairs = dict(context.invocation_metadata())
            await self.received.put(
                ReceivedCall(details.method, request, pairs, context.time_remaining() or 0.0)
            )
            context.set_trailing_metadata((("x-trailing", "kept"),))
            if details.method == FAIL:
                await context.abort_with_status(self.error)
            if details.method == HANG:
                try:
                    await asyncio.sleep(FOREVER)
                finally:
                    self.canceled.set()
            return request

        return grpc.unary_unary_rpc_method_handler(answer)

    def calls(self) -> int:
        """How many calls came that nobody has taken."""
        return self.received.qsize()


@dataclass
class Way:
    """A callee, a link to it, and a caller's end of that link."""

    callee: Callee
    link: Link
    channel: grpc.aio.Channel

    def call(
        self, method: str, request: bytes = b"x", timeout: float = FOREVER, **pairs: str
    ) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
        """Begin a call through the link."""
        names = {"caller": metadata.CALLER, "correlation": metadata.CORRELATION_ID}
        given = tuple((names[key], value) for key, value in pairs.items())
        return self.channel.unary_unary(method)(request, timeout=timeout, metadata=given)


@asynccontextmanager
async def serving(callee: Callee) -> AsyncIterator[grpc.aio.Server]:
    """Run the callee; on its own port again if it had one."""
    server = grpc.aio.server(handlers=[callee], options=[("grpc.so_reuseport", 0)])
    callee.port = server.add_insecure_port(f"127.0.0.1:{callee.port}")
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


@asynccontextmanager
async def linked(callee: Callee) -> AsyncIterator[Way]:
    """Lead a link to where the callee is or was."""
    link = Link("caller", "callee", f"127.0.0.1:{callee.port}")
    port = link.bind("127.0.0.1:0")
    await link.start()
    try:
        async with connect.aio_channel(f"127.0.0.1:{port}") as channel:
            yield Way(callee, link, channel)
    finally:
        await link.stop()


async def code_of(call: grpc.aio.UnaryUnaryCall[bytes, bytes]) -> str:
    """Wait until a call has ended; return the name of its status."""
    return (await call.code()).name

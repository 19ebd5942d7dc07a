"""How an audit makes its calls: a hook, for a fault run also writes each one to its history."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.rpc import connect

if TYPE_CHECKING:
    from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceAsyncStub

CALL_SECONDS = 5.0


@dataclass(frozen=True)
class Call:
    """A call of the audit, which may take ``seconds``.

    ``scan`` names the listing of which the call reads the page ``number``, counted from 0; it is
    empty if the call is no page of a whole listing.
    """

    method: str
    request: Message
    seconds: float
    scan: str = ""
    number: int = 0


Servers = Iterator[tuple[str, "TaskQueueServiceAsyncStub"]]
"""The endpoints of a stack with their stubs in turn, without end."""
Caller = Callable[[Servers, Call], Awaitable[Any]]
"""Makes a call and returns the reply; raises ``grpc.aio.AioRpcError``."""


async def plain(servers: Servers, call: Call) -> Any:
    """Make a call once, at the server whose turn it is."""
    _, stub = next(servers)
    return await send(stub, call, call.seconds)


async def send(stub: TaskQueueServiceAsyncStub, call: Call, seconds: float) -> Any:
    """Make a call at one server within so many seconds."""
    return await getattr(stub, call.method)(call.request, timeout=seconds)


@contextlib.asynccontextmanager
async def connected(endpoints: Sequence[str]) -> AsyncIterator[Servers]:
    """Connect to all endpoints for the length of the block."""
    channels = {each: connect.aio_channel(each) for each in endpoints}
    try:
        yield itertools.cycle(
            [(each, TaskQueueServiceStub(channel)) for each, channel in channels.items()]
        )
    finally:
        await asyncio.gather(*(channel.close() for channel in channels.values()))


def words_of(error: grpc.aio.AioRpcError) -> str:
    """Return the code and the message of an error."""
    return f"{error.code().name}: {error.details()}"

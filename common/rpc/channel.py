"""Outbound calls: every one carries a deadline, who calls and the correlation id."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from common import context
from common.domain.errors import DeadlineExceeded
from common.rpc import connect, metadata, status
from common.rpc.connect import MAX_MESSAGE_BYTES
from common.rpc.outbound import ClientMetrics, OutboundCounts, Waits
from common.topology import role_of

T = TypeVar("T")

SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    # Two servers on one port would each get a part of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Pings of peers are welcome as often as they send them.
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    # A client that has vanished without closing does not keep its connection for hours.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class Peer:
    """A connection to one process. ``cap`` is the most seconds that a call may take.

    ``secret`` proves that ``caller`` is one of the stack.
    """

    def __init__(
        self,
        name: str,
        address: str,
        caller: str,
        cap: float,
        metrics: ClientMetrics,
        secret: str = "",
    ) -> None:
        self.name = name
        self.channel = connect.aio_channel(address, connect.KEEPALIVE)
        self._who = ((metadata.CALLER, caller), (metadata.PROOF, secret))
        self._cap = cap
        self._metrics = metrics
        self._counts: dict[tuple[type, str], OutboundCounts] = {}

    async def call(self, method: Callable[..., Awaitable[T]], request: Any) -> T:
        """Call a method of a stub on this channel with the time that is left.

        Raises the ``TaskQueueError`` that the peer answered, or ``OwnerUnreachable`` or
        ``DeadlineExceeded`` if it did not.
        """
        timeout = self.time_left()
        pairs = (*self._who, (metadata.CORRELATION_ID, context.correlation_id()))
        handling = context.handling()
        code = "UNKNOWN"
        began = time.perf_counter()
        if handling is not None:
            handling.wait_begins(began)
        try:
            response = await method(request, timeout=timeout, metadata=pairs)
            code = "OK"
            return response
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            raise status.from_grpc(error, self.name) from error
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        finally:
            ended = time.perf_counter()
            if handling is not None:
                handling.wait_ends(ended)
            self._counts_of(type(request), handling).ended(code, ended - began)

    def time_left(self) -> float:
        """Return the seconds that a call may take now. Raises ``DeadlineExceeded`` for none."""
        timeout = context.remaining(self._cap)
        if timeout <= 0:
            raise DeadlineExceeded(self.name)
        return timeout

    def count_entries(self, request: type[Message], number: int) -> None:
        """Count the entries of a call that may carry many."""
        self._metrics.sent(request, role_of(self.name), number)

    def waits(self, request: type[Message], within: str) -> Waits:
        """Return what counts those who wait for a call that several may share; to be kept."""
        return self._metrics.waits(request, role_of(self.name), within)

    async def close(self) -> None:
        """Close the connection."""
        await self.channel.close()

    def _counts_of(self, request: type, handling: context.Handling | None) -> OutboundCounts:
        key = request, handling.method if handling is not None else ""
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = self._metrics.of(request, role_of(self.name), key[1])
        return counts

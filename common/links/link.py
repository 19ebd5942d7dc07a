"""One link: takes the calls of a caller, and passes them on to a callee as its fault lets it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc

from common.config import ConfigError
from common.links.fault import NONE, CallFaultSampler, LinkFault
from common.rpc import connect
from common.rpc.channel import SERVER_OPTIONS

logger = logging.getLogger(__name__)

# Seconds for answers that are written and not yet sent.
LAST_ANSWERS = 0.1
# A connection of its own: links must not share one because they lead to the same callee.
_CHANNEL_OPTIONS = (*connect.KEEPALIVE, *connect.OWN_CONNECTION)
_Pairs = tuple[tuple[str, str | bytes], ...]


@dataclass
class CallCounts:
    """What became of the calls of a link."""

    forwarded: int = 0
    lost_requests: int = 0
    lost_answers: int = 0
    delayed: int = 0
    repeated: int = 0


class Link(grpc.GenericRpcHandler):
    """Relays unary calls of any service, without reading their messages.

    What goes with a call goes with it through the link: metadata, the time that is left, the
    status with all its details, and a cancel. Belongs to one event loop.
    """

    def __init__(self, caller: str, callee: str, address: str) -> None:
        """Lead to the callee at ``address``, ``host:port``."""
        self.caller = caller
        self.callee = callee
        self.counts = CallCounts()
        self._address = address
        self._fault = NONE
        self._sampler = CallFaultSampler(NONE)
        self._again: set[asyncio.Task[None]] = set()
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}

    @property
    def fault(self) -> LinkFault:
        """What happens to its calls."""
        return self._fault

    def set(self, fault: LinkFault) -> None:
        """Have this happen from now on, also to answers of calls that are under way."""
        self._fault = fault
        self._sampler = CallFaultSampler(fault)

    def bind(self, listen: str) -> int:
        """Take the port of ``listen`` and return its number; ``ConfigError`` if it is taken."""
        self._server = grpc.aio.server(handlers=[self], options=SERVER_OPTIONS)
        try:
            return self._server.add_insecure_port(listen)
        except RuntimeError as error:
            name = f"{self.caller}>{self.callee}"
            raise ConfigError(f"cannot listen on {listen} for {name}: is it taken?") from error

    async def start(self) -> None:
        """Take calls. It has been bound."""
        self._channel = connect.aio_channel(self._address, _CHANNEL_OPTIONS)
        await self._server.start()

    async def stop(self) -> None:
        """End the calls that are under way, for most of them are lost ones, and take no more."""
        await self._server.stop(LAST_ANSWERS)
        for task in self._again:
            task.cancel()
        await asyncio.gather(*self._again, return_exceptions=True)
        await self._channel.close()

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Return what relays the calls of a method: every method is one of the callee's."""
        method = handler_call_details.method
        handler = self._handlers.get(method)
        if handler is None:
            relay = functools.partial(self._relay, method)
            handler = self._handlers[method] = grpc.unary_unary_rpc_method_handler(relay)
        return handler

    async def _relay(self, method: str, request: bytes, context: Any) -> bytes:
        fate = self._sampler.draw()
        if self._fault.lose_requests:
            self.counts.lost_requests += 1
            await _never()
        metadata = _passed_on(context.invocation_metadata() or ())
        if fate.repeat_after is not None:
            left = context.time_remaining()
            self._start(self._repeat(method, request, metadata, left, fate.repeat_after))
        await self._hold_up(fate.request_delay)
        self.counts.forwarded += 1
        call = self._call(method, request, metadata, context.time_remaining())
        answer: bytes | None = None
        with contextlib.suppress(grpc.aio.AioRpcError):
            answer = await call
        await self._hold_up(fate.answer_delay)
        # What holds now, not when the request came: an answer may come long after its request.
        if self._fault.lose_answers:
            self.counts.lost_answers += 1
            await _never()
        return await _answered(context, call, answer)

    async def _repeat(
        self, method: str, request: bytes, metadata: _Pairs, left: float | None, after: float
    ) -> None:
        """Have the callee get the call a second time; nobody waits for its answer."""
        await asyncio.sleep(after)
        self.counts.repeated += 1
        code = await self._call(method, request, metadata, left).code()
        logger.debug("the second time of %s: %s", method, code.name)

    def _call(
        self, method: str, request: bytes, metadata: _Pairs, timeout: float | None
    ) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
        multicallable: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
        multicallable = self._channel.unary_unary(method)
        return multicallable(request, timeout=timeout, metadata=metadata)

    async def _hold_up(self, seconds: float) -> None:
        if seconds > 0:
            self.counts.delayed += 1
            await asyncio.sleep(seconds)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._again.add(task)
        task.add_done_callback(self._again.discard)


async def _answered(
    context: Any, call: grpc.aio.UnaryUnaryCall[bytes, bytes], answer: bytes | None
) -> bytes:
    """Give the caller what the callee answered, with the metadata around it; ``None``: an error."""
    trailing = _passed_on(await call.trailing_metadata() or ())
    if answer is None:
        await context.abort(await call.code(), await call.details() or "", trailing)
        raise AssertionError("the call has been aborted")
    if initial := _passed_on(await call.initial_metadata() or ()):
        await context.send_initial_metadata(initial)
    if trailing:
        context.set_trailing_metadata(trailing)
    return answer


async def _never() -> NoReturn:
    """Wait until the call is over for its caller, which cancels whoever waits here."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets the event")


def _passed_on(metadata: Iterable[tuple[str, str | bytes]]) -> _Pairs:
    """Return the metadata without what belongs to the one connection or is gRPC's own.

    A rich status is gRPC's own by its name, and is passed on all the same.
    """
    return tuple(
        (key, value)
        for key, value in metadata
        if key == "grpc-status-details-bin"
        or not (key.startswith(("grpc-", ":")) or key == "user-agent")
    )

"""What a call has to pass before it costs anything: limits, and a message in time that is one.

gRPC's own limit of concurrent calls refuses health checks with the rest and gives no reason; it
waits for ever for a message that never comes, and reports bytes that are no message as a defect.
So the outermost interceptor reads each message itself: it serves a method of one message as if it
took a stream. It also counts a call until its answer has left, which is what slow readers hold up.

Around a call are, from the outside in: this, the metrics (``inbound``), then caller, deadline and
errors (``interceptors``), and the servicer.
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, cast

import grpc
from google.protobuf.message import DecodeError
from prometheus_client import CollectorRegistry, Counter, Gauge

from common.config import Settings
from common.domain.errors import (
    MalformedMessage,
    MessageNotReceived,
    Overloaded,
    TaskQueueError,
)
from common.rpc import status
from common.rpc.callers import INTERNAL, PUBLIC
from common.rpc.inbound import ServerMetrics
from common.rpc.limits import LARGE_RESPONSE, CallLimit, PendingMessages, UnreadResponses

# Health and reflection have limits of their own, so that a flood of calls does not hide whether a
# process lives. Each check takes a moment; a watch may last as long as its client.
MAX_CHECKS = 256
MAX_STREAMS = 128

Parse = Callable[[bytes], Any]
# A handler of grpc.aio; its types describe that of the threaded server.
Handler = Any
Continue = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]


class _Room:
    """Where calls of one sort are let in: first to send their message, then to be worked on."""

    def __init__(self, name: str, limit: int, patience: float, process: str) -> None:
        self.calls = CallLimit(name, limit, process)
        self.pending = PendingMessages(patience, self.calls, process)

    async def message(self, context: Any, alone: bool) -> bytes:
        """Read the message of a call and take a place for its work, until its answer has left.

        ``alone``: also that it is the only one. The end comes with the message, but is an event
        of its own in gRPC, which costs as much as all that is done around the call.
        """
        with self.pending:
            raw = await context.read()
            more = alone and raw is not grpc.aio.EOF and await context.read() is not grpc.aio.EOF
        if raw is grpc.aio.EOF:
            raise MalformedMessage("the call ended without a whole message")
        if more:
            raise MalformedMessage("the call has a second message, and its method takes one")
        # Only now: calls that hang without a message take no place of those that work.
        self.calls.enter()
        return cast(bytes, raw)


class Admission(grpc.aio.ServerInterceptor):
    """The outermost interceptor. What it refuses is definite and never reaches a servicer."""

    def __init__(
        self, settings: Settings, metrics: ServerMetrics, registry: CollectorRegistry
    ) -> None:
        name, patience = settings.name, settings.message_timeout
        limit = settings.max_concurrent_calls
        self._calls = _Room("max_concurrent_calls", limit, patience, name)
        self._checks = _Room("MAX_CHECKS", MAX_CHECKS, patience, name)
        self._streams = _Room("MAX_STREAMS", MAX_STREAMS, patience, name)
        self._unread_responses = UnreadResponses(settings.max_unread_bytes, name)
        self._metrics = metrics
        self._handlers: dict[str, Handler] = {}
        self._refused = Counter(
            "taskqueue_calls_refused",
            "Calls refused before they were begun, or whose answer there was no room for",
            ["reason"],
            registry=registry,
        )
        for name, text, read in (
            ("taskqueue_calls_in_flight", "Calls whose answer has not left", self._in_flight),
            ("taskqueue_unread_bytes", "Large answers that clients have not taken", self._unread),
        ):
            Gauge(name, text, registry=registry).set_function(read)
        for kind in (Overloaded, MalformedMessage, MessageNotReceived):
            self._refused.labels(reason=kind.reason)

    def _in_flight(self) -> int:
        return self._calls.calls.taken

    def _unread(self) -> int:
        return self._unread_responses.waiting

    async def intercept_service(
        self, continuation: Continue, details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Return the guarded method; it is made once, for nothing in it depends on the call."""
        method = details.method
        handler = self._handlers.get(method)
        if handler is None:
            inner = await continuation(details)
            if inner is None:
                return None
            guard = self._streaming if inner.response_streaming else self._unary
            handler = self._handlers[method] = guard(inner, method)
        return handler

    def _unary(self, inner: Handler, method: str) -> Handler:
        room = self._checks if method.startswith("/grpc.") else self._calls
        run, parse, write = inner.unary_unary, inner.request_deserializer, inner.response_serializer
        counts = self._metrics.of(method)
        public = method in PUBLIC
        # Processes of the stack are known to send one message, and nobody else gets any further.
        alone = method not in INTERNAL

        async def serve(_messages: object, context: Any) -> bytes:
            try:
                request, size = await take(context)
                if counts is None:
                    return await answer(request, context)
                response = await counts.around(answer, request, context, size)
                if public and len(response) >= LARGE_RESPONSE:
                    await self._hold(len(response), context)
                return response
            except BaseException as error:
                _forget_locals(error)
                raise

        async def take(context: Any) -> tuple[Any, int]:
            try:
                raw = await room.message(context, alone)
                return _parse(raw, parse), len(raw)
            except TaskQueueError as error:
                await self._refuse(error, context)

        async def answer(request: Any, context: Any) -> bytes:
            return write(await run(request, context))  # type: ignore[no-any-return]

        return grpc.stream_unary_rpc_method_handler(serve)

    def _streaming(self, inner: Handler, _method: str) -> Handler:
        parse = inner.request_deserializer

        async def serve(messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[Any]:
            try:
                if inner.request_streaming:
                    self._streams.calls.enter()
                    answers = inner.stream_stream(self._parsed(messages, context, parse), context)
                else:
                    raw = await self._streams.message(context, alone=True)
                    answers = inner.unary_stream(_parse(raw, parse), context)
            except TaskQueueError as error:
                await self._refuse(error, context)
            async for answer in answers:
                yield answer

        # A servicer may write its answers itself, so what they are written with stays as it was.
        return grpc.stream_stream_rpc_method_handler(
            serve, response_serializer=inner.response_serializer
        )

    async def _hold(self, size: int, context: Any) -> None:
        try:
            self._unread_responses.hold(size, context)
        except TaskQueueError as error:
            await self._refuse(error, context)

    async def _parsed(
        self, messages: AsyncIterator[bytes], context: Any, parse: Parse
    ) -> AsyncIterator[Any]:
        async for raw in messages:
            try:
                message = _parse(raw, parse)
            except TaskQueueError as error:
                await self._refuse(error, context)
            yield message

    async def _refuse(self, error: TaskQueueError, context: Any) -> NoReturn:
        self._refused.labels(reason=error.reason).inc()
        await context.abort_with_status(status.to_grpc(error))
        raise AssertionError("an aborted call goes no further")


def _forget_locals(error: BaseException | None) -> None:
    """Let go of what the frames hold that an error has passed through.

    The error and its call refer to each other, so both stay until the collector of cycles comes by;
    a refused message of many megabytes must not wait for that.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error.__traceback__ = None
        error = error.__context__


def _parse(raw: bytes, parse: Parse) -> Any:
    try:
        return parse(raw)
    except DecodeError as error:
        raise MalformedMessage(str(error)) from None

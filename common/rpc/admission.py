"""What a call has to pass before it costs anything: limits, and a message in time that is one.

gRPC's own limit of concurrent calls refuses health checks with the rest and gives no reason; it
waits for ever for a message that never comes, and reports bytes that are no message as a defect.
So the outermost interceptor reads each message itself: it serves a method of one message as if it
took a stream. It also counts a call until its answer has left, which is what slow readers hold up.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, cast

import grpc
from google.protobuf.message import DecodeError
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as Metric

from common.config import Settings
from common.domain.errors import (
    MalformedMessage,
    MessageNotReceived,
    Overloaded,
    TaskQueueError,
)
from common.rpc import status
from common.rpc.callers import PUBLIC

# Health and reflection have limits of their own, so that a flood of calls does not hide whether a
# process lives. Each check takes a moment; a watch may last as long as its client.
MAX_CHECKS = 256
MAX_STREAMS = 128
# Calls that are open, their message on the way, for each one that may be worked on.
ARRIVING = 8
# An answer below this is not counted: as many of them as there may be calls do no harm.
LARGE_RESPONSE = 16 << 10
# The part of all answers that wait which one connection may hold up.
SHARE_OF_CONNECTION = 4

# Seconds between two checks for messages that are late.
CHECK_INTERVAL = 1.0

Parse = Callable[[bytes], Any]
# A handler of grpc.aio; its types describe that of the threaded server.
Handler = Any
Continue = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]


class CallLimit:
    """Limits the calls of one sort in flight; ``name`` is the setting or constant that does."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self.taken = 0

    def enter(self, context: Any, process: str) -> None:
        """Take a place until the answer has left. Raises ``Overloaded`` if there is none."""
        if self.taken >= self._limit:
            raise Overloaded(process, f"{self._name} = {self._limit} calls are in flight")
        self.taken += 1
        context.add_done_callback(self._leave)

    def _leave(self, _context: Any) -> None:
        self.taken -= 1


class UnreadResponses:
    """Limits the bytes of large responses that clients have not read yet, in all and by client."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.waiting = 0
        self._by_client: Counter[str] = Counter()

    def hold(self, size: int, context: Any, process: str) -> None:
        """Count a response until it has left. Raises ``Overloaded`` if too much waits already."""
        if size < LARGE_RESPONSE:
            return
        client = context.peer()
        share = self._limit // SHARE_OF_CONNECTION
        if self.waiting + size > self._limit or self._by_client[client] + size > share:
            raise Overloaded(process, "the answers before this one are not read")
        self.waiting += size
        self._by_client[client] += size
        context.add_done_callback(lambda _: self._release(size, client))

    def _release(self, size: int, client: str) -> None:
        self.waiting -= size
        self._by_client[client] -= size
        if not self._by_client[client]:
            del self._by_client[client]


class PendingMessages:
    """Bounds how long the message of a call may take, around the reading of it.

    Whichever has waited longest is checked once a second, instead of a timer for each call. Raises
    ``MessageNotReceived`` after ``patience`` seconds, to the second.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._waiting[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(CHECK_INTERVAL, self._give_up, loop)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._waiting.pop(task, None)
        if task in self._late:
            self._late.remove(task)
            if kind is asyncio.CancelledError and not task.uncancel():
                raise MessageNotReceived(f"no message came within {self._patience:g} s")

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel the reading of what is late; the rest came after it and is not."""
        latest = loop.time() - self._patience
        for task, since in list(self._waiting.items()):
            if since > latest:
                break
            del self._waiting[task]
            self._late.add(task)
            task.cancel()
        self._timer = (
            loop.call_later(CHECK_INTERVAL, self._give_up, loop) if self._waiting else None
        )


class Admission(grpc.aio.ServerInterceptor):
    """The outermost interceptor. What it refuses is definite and never reaches a servicer."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self._process = settings.name
        self._pending_messages = PendingMessages(settings.message_timeout)
        self._calls = CallLimit("max_concurrent_calls", settings.max_concurrent_calls)
        self._checks = CallLimit("MAX_CHECKS", MAX_CHECKS)
        arriving = ARRIVING * settings.max_concurrent_calls
        self._calls_arriving = CallLimit(f"{ARRIVING} x max_concurrent_calls", arriving)
        self._checks_arriving = CallLimit(f"{ARRIVING} x MAX_CHECKS", ARRIVING * MAX_CHECKS)
        self._streams = CallLimit("MAX_STREAMS", MAX_STREAMS)
        self._unread_responses = UnreadResponses(settings.max_unread_bytes)
        self._handlers: dict[str, Handler] = {}
        self._refused = Metric(
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
        return self._calls.taken

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
        is_check = method.startswith("/grpc.")
        limit = self._checks if is_check else self._calls
        arriving = self._checks_arriving if is_check else self._calls_arriving
        run, parse, write = inner.unary_unary, inner.request_deserializer, inner.response_serializer
        public = method in PUBLIC

        async def serve(_messages: object, context: Any) -> bytes:
            try:
                return await take(context)
            except BaseException as error:
                _forget_locals(error)
                raise

        async def take(context: Any) -> bytes:
            try:
                arriving.enter(context, self._process)
                raw = await self._receive(context)
                # Only now: calls that hang without a message take no place of those that work.
                limit.enter(context, self._process)
                request = _parse(raw, parse)
            except TaskQueueError as error:
                await self._refuse(error, context)
            response: bytes = write(await run(request, context))
            if public and len(response) >= LARGE_RESPONSE:
                try:
                    self._unread_responses.hold(len(response), context, self._process)
                except TaskQueueError as error:
                    await self._refuse(error, context)
            return response

        return grpc.stream_unary_rpc_method_handler(serve)

    def _streaming(self, inner: Handler, _method: str) -> Handler:
        parse = inner.request_deserializer

        async def serve(messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[Any]:
            try:
                self._streams.enter(context, self._process)
                if inner.request_streaming:
                    answers = inner.stream_stream(self._parsed(messages, context, parse), context)
                else:
                    raw = await self._receive(context)
                    answers = inner.unary_stream(_parse(raw, parse), context)
            except TaskQueueError as error:
                await self._refuse(error, context)
            async for answer in answers:
                yield answer

        # A servicer may write its answers itself, so what they are written with stays as it was.
        return grpc.stream_stream_rpc_method_handler(
            serve, response_serializer=inner.response_serializer
        )

    async def _receive(self, context: Any) -> bytes:
        """Read the one message of a call, and that it is the only one, before anything is done.

        The end comes with the message, so the wait for it is short: the medians of measured calls
        with and without it differed by far less than the calls themselves.
        """
        with self._pending_messages:
            raw = await context.read()
            more = raw is not grpc.aio.EOF and await context.read() is not grpc.aio.EOF
        if raw is grpc.aio.EOF:
            raise MalformedMessage("the call ended without a whole message")
        if more:
            raise MalformedMessage("the call has a second message, and its method takes one")
        return cast(bytes, raw)

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

"""Channels in the shape of ``grpc.Channel``, as far as unary calls go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from gevent import get_hub

from .call import Call
from .connection import Connection
from .connector import Connector, Pace
from .headers import literal
from .keepalive import Keepalive
from .metadata import Fields, list_size, written
from .status import Code, Ended, Outcome, RpcError

USER_AGENT = "grpc-gevent/1"
LARGEST_MESSAGE = 4 << 20
# Seconds; a deadline that is further away is none.
_FOREVER = 1e9
_EXPIRED = Outcome(Code.DEADLINE_EXCEEDED, "the deadline passed")
_ABANDONED = Outcome(Code.CANCELLED, "whoever called has gone")

GivenMetadata = Iterable[tuple[str, str | bytes]]


class Channel:
    """A channel to ``host:port``, without encryption, for the greenlets of one thread.

    It connects when it is first used, which may be long after a fork. ``largest_sent`` and
    ``largest_received`` limit messages, in bytes. Without ``keepalive`` there are no pings.
    """

    def __init__(
        self,
        target: str,
        largest_sent: int | None = None,
        largest_received: int = LARGEST_MESSAGE,
        pace: Pace | None = None,
        keepalive: Keepalive | None = None,
    ) -> None:
        """Raise ``ValueError`` if ``target`` is no ``host:port``."""
        self.hub = get_hub()
        self.connector = Connector(self.hub, target, pace or Pace(), keepalive)
        self.target = target
        self.largest_sent = largest_sent
        self.largest_received = largest_received
        self.closed = False

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool = False,
    ) -> UnaryUnary:
        """Return the method of that path, to be called."""
        return UnaryUnary(self, method, request_serializer, response_deserializer)

    def unary_stream(self, method: str, *_: Any, **__: Any) -> Callable[..., NoReturn]:
        """Return something that says that streams are not supported, once it is called."""
        return _no_streams(method)

    stream_unary = stream_stream = unary_stream

    def close(self) -> None:
        """End all calls with CANCELLED, and take no more."""
        if not self.closed:
            self.closed = True
            self.connector.close()

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class UnaryUnary:
    """One method of a channel."""

    def __init__(
        self,
        channel: Channel,
        method: str,
        serialize: Callable[[Any], bytes] | None,
        deserialize: Callable[[bytes], Any] | None,
    ) -> None:
        self._channel = channel
        self._serialize = serialize
        self._deserialize = deserialize
        self._fields: Fields = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", channel.target),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", USER_AGENT),
            ("grpc-accept-encoding", "identity"),
        )
        self._size = list_size(self._fields)

    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: GivenMetadata | None = None,
        credentials: None = None,
        wait_for_ready: bool | None = None,
        compression: None = None,
    ) -> Any:
        """Return the answer; ``timeout`` is in seconds.

        Raises :class:`RpcError`, and ``ValueError`` for what can be no call.
        """
        call = self._made(request, timeout, metadata, wait_for_ready, credentials, compression)
        return self._answer_of(call)

    def with_call(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: GivenMetadata | None = None,
        credentials: None = None,
        wait_for_ready: bool | None = None,
        compression: None = None,
    ) -> tuple[Any, Ended]:
        """Return the answer, and the call for its metadata; raises as the call alone does."""
        call = self._made(request, timeout, metadata, wait_for_ready, credentials, compression)
        answer = self._answer_of(call)
        assert call.outcome is not None
        return answer, Ended(call.outcome)

    def future(self, *_: Any, **__: Any) -> NoReturn:
        """Raise ``NotImplementedError``: a greenlet of one's own does the same."""
        raise NotImplementedError("futures are not supported: spawn a greenlet that makes the call")

    def _made(
        self,
        request: Any,
        timeout: float | None,
        metadata: GivenMetadata | None,
        patient: bool | None,
        credentials: object,
        compression: object,
    ) -> Call:
        """Make a call and wait until it has ended."""
        channel = self._channel
        if channel.closed:
            raise ValueError("the channel is closed")
        if credentials is not None or compression:
            raise ValueError("credentials and compression are not supported")
        if timeout is not None and not timeout < _FOREVER:
            timeout = None
        more, size = _encoded(metadata) if metadata else (b"", 0)
        ends_at = None if timeout is None else time.monotonic() + timeout
        call = Call(
            channel.hub,
            self._fields,
            more,
            self._size + size,
            self._message(request),
            ends_at,
            channel.largest_received,
        )
        connection = channel.connector.ready
        if connection is None:
            connection = channel.connector.wait(ends_at, bool(patient))
            timeout = None if ends_at is None else ends_at - time.monotonic()
        if timeout is not None and timeout <= 0:
            raise RpcError(_EXPIRED._replace(untouched=True))
        connection.start(call, timeout)
        self._wait(call, connection, timeout)
        return call

    def _wait(self, call: Call, connection: Connection, seconds: float | None) -> None:
        timer = None
        if seconds is not None:
            timer = self._channel.hub.loop.timer(seconds)
            timer.start(connection.abandon, call, _EXPIRED, update=True)
        try:
            call.wait()
        except BaseException:
            connection.abandon(call, _ABANDONED)
            raise
        finally:
            if timer is not None:
                timer.close()

    def _message(self, request: Any) -> bytes:
        if self._serialize is None:
            message: bytes = request
        else:
            try:
                message = self._serialize(request)
            except Exception as error:
                words = f"the request cannot be written: {error}"
                raise RpcError(Outcome(Code.INTERNAL, words, untouched=True)) from error
        if not isinstance(message, bytes):
            raise TypeError(f"a message has to be bytes, not {type(message).__name__}")
        largest = self._channel.largest_sent
        if largest is not None and len(message) > largest:
            words = f"the request has {len(message)} bytes, more than the {largest} allowed"
            raise RpcError(Outcome(Code.RESOURCE_EXHAUSTED, words, untouched=True))
        return message

    def _answer_of(self, call: Call) -> Any:
        outcome, answer = call.outcome, call.answer
        assert outcome is not None
        if outcome.code is not Code.OK:
            raise RpcError(outcome)
        if self._deserialize is None:
            return answer
        assert answer is not None
        try:
            return self._deserialize(answer)
        except Exception as error:
            words = f"the answer cannot be read: {error}"
            raise RpcError(outcome._replace(code=Code.INTERNAL, details=words)) from error


def _encoded(metadata: GivenMetadata) -> tuple[bytes, int]:
    try:
        fields = written(metadata)
    except ValueError as error:
        raise RpcError(Outcome(Code.INTERNAL, str(error), untouched=True)) from error
    return literal(fields), list_size(fields)


def _no_streams(method: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"{method} is a stream, and only unary calls are supported")

    return refuse

"""Unary gRPC over HTTP/2, as bare as it can be served: for a stub that adds next to nothing.

No more of HTTP/2 is here than clients of gRPC need that send small messages. The time at which a
call's last byte arrived is taken before anything is read of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = 9
_PREFIX = 5
_UNIMPLEMENTED = "12"

Answer = Callable[[bytes, int], Awaitable[bytes]]
"""Takes a message, and when its call arrived; returns the message to answer with."""


def _block(*fields: tuple[str, str]) -> bytes:
    """Return a header block that enters no table, so that it fits everywhere."""
    return bytes(Encoder().encode([(*each, True) for each in fields], huffman=False))


_FIRST = (":status", "200"), ("content-type", "application/grpc")
_HEADERS, _OK = _block(*_FIRST), _block(("grpc-status", "0"))
_UNKNOWN_METHOD = _block(*_FIRST, ("grpc-status", _UNIMPLEMENTED))


class Unary(asyncio.Protocol):
    """One connection. ``methods`` are by path; ``now`` is the clock of arrivals."""

    def __init__(self, methods: dict[str, Answer], now: Callable[[], int]) -> None:
        self._methods = methods
        self._now = now
        self._arrived = 0
        self._unread = b""
        self._greeted = False
        self._decoder = Decoder()
        self._block = b""
        self._calls: dict[int, tuple[str, bytearray]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        """Greet."""
        self._transport = transport
        self._send(SettingsFrame(0))

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the calls of the connection."""
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        self._arrived = self._now()
        data = self._unread + data
        at = 0
        if not self._greeted and len(data) >= len(_PREFACE):
            self._greeted, at = True, len(_PREFACE)
        view = memoryview(data)
        while self._greeted and len(data) - at >= _HEAD:
            frame, length = Frame.parse_frame_header(view[at : at + _HEAD])
            if len(data) - at < _HEAD + length:
                break
            frame.parse_body(view[at + _HEAD : at + _HEAD + length])
            at += _HEAD + length
            self._take(frame)
        self._unread = data[at:]

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self._send(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, PingFrame) and "ACK" not in frame.flags:
            self._send(PingFrame(0, frame.opaque_data, flags=["ACK"]))
        elif isinstance(frame, HeadersFrame | ContinuationFrame):
            self._block += frame.data
            if "END_HEADERS" in frame.flags:
                fields: dict[Any, Any] = dict(self._decoder.decode(self._block))
                self._block = b""
                self._calls[frame.stream_id] = fields[":path"], bytearray()
        elif isinstance(frame, DataFrame) and frame.stream_id in self._calls:
            self._calls[frame.stream_id][1].extend(frame.data)
            if frame.data:
                self._send(WindowUpdateFrame(0, window_increment=len(frame.data)))
            if "END_STREAM" in frame.flags:
                self._begin(frame.stream_id)

    def _begin(self, stream: int) -> None:
        path, body = self._calls.pop(stream)
        if path not in self._methods:
            flags = ["END_HEADERS", "END_STREAM"]
            self._send(HeadersFrame(stream, _UNKNOWN_METHOD, flags=flags))
            return
        work = self._answer(stream, self._methods[path](bytes(body[_PREFIX:]), self._arrived))
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, stream: int, work: Awaitable[bytes]) -> None:
        message = await work
        self._send(
            HeadersFrame(stream, _HEADERS, flags=["END_HEADERS"]),
            DataFrame(stream, b"\0" + len(message).to_bytes(4, "big") + message),
            HeadersFrame(stream, _OK, flags=["END_HEADERS", "END_STREAM"]),
        )

    def _send(self, *frames: Frame) -> None:
        self._transport.write(b"".join(frame.serialize() for frame in frames))

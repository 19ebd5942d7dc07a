"""A server that answers calls with whatever frames a test wants, from a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, BinaryIO, TypeVar

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.support.http2 import PREFACE, message_frame

TIMEOUT = 20.0
LARGEST = 16_384
OK_HEADERS = ((":status", "200"), ("content-type", "application/grpc"))
OK_TRAILERS = (("grpc-status", "0"),)

F = TypeVar("F", bound=Frame)
Headers = Sequence[tuple[str, str | bytes]]


class Peer:
    """One accepted connection, seen from the server."""

    def __init__(self, accepted: socket.socket, stream: BinaryIO) -> None:
        self.socket = accepted
        accepted.settimeout(TIMEOUT)
        self._encoder = Encoder()
        self.decoder = Decoder()
        self._stream = stream
        self.requests: dict[int, list[tuple[str, str]]] = {}
        self._open_block = b""
        self.bodies: dict[int, bytearray] = {}
        self.seen: list[Frame] = []
        self.ended = threading.Event()
        self._deaf = threading.Event()

    def send(self, *frames: Frame) -> None:
        """Send frames in one write."""
        self.socket.sendall(b"".join(frame.serialize() for frame in frames))

    def block(self, fields: Headers) -> bytes:
        """Return a header block."""
        return self._encoder.encode(list(fields), huffman=False)

    def headers(self, stream: int, fields: Headers, *flags: str) -> HeadersFrame:
        """Return a whole HEADERS frame."""
        return HeadersFrame(stream, self.block(fields), flags=["END_HEADERS", *flags])

    def trailers(self, stream: int, fields: Headers = OK_TRAILERS) -> HeadersFrame:
        """Return the frame that ends an answer."""
        return self.headers(stream, fields, "END_STREAM")

    def answer(self, stream: int, message: bytes = b"", trailers: Headers = OK_TRAILERS) -> None:
        """Send an answer as a server does, but for waiting for room."""
        framed = message_frame(message)
        parts = [framed[at : at + LARGEST] for at in range(0, len(framed), LARGEST)]
        self.send(
            self.headers(stream, OK_HEADERS),
            *(DataFrame(stream, part) for part in parts),
            self.trailers(stream, trailers),
        )

    def frames(self) -> Iterator[Frame]:
        """Give what arrives, until the client closes the connection."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream.read(len(PREFACE)) != PREFACE:
                return
            while len(head := self._stream.read(9)) == 9:
                frame, length = Frame.parse_frame_header(memoryview(head))
                frame.parse_body(memoryview(self._stream.read(length)))
                self.seen.append(frame)
                yield frame

    def of_type(self, kind: type[F]) -> list[F]:
        """Return the frames of a type that have arrived."""
        return [frame for frame in self.seen if isinstance(frame, kind)]

    def serve(self, on_call: Callable[[Peer, int], None]) -> None:
        """Run ``on_call`` with the stream of each call whose request is whole.

        Room is given for all calls together, and not for a single one.
        """
        for frame in self.frames():
            if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
                self.send(SettingsFrame(0, flags=["ACK"]))
            elif isinstance(frame, PingFrame) and "ACK" not in frame.flags:
                self.send(PingFrame(0, frame.opaque_data, flags=["ACK"]))
            elif isinstance(frame, HeadersFrame | ContinuationFrame):
                self._take_block(frame)
            elif isinstance(frame, DataFrame):
                self.bodies[frame.stream_id] += frame.data
                if frame.data:
                    size = len(frame.data)
                    self.send(WindowUpdateFrame(0, window_increment=size))
                if "END_STREAM" in frame.flags:
                    on_call(self, frame.stream_id)

    def _take_block(self, frame: HeadersFrame | ContinuationFrame) -> None:
        self._open_block += frame.data
        if "END_HEADERS" in frame.flags:
            fields: Any = self.decoder.decode(self._open_block)
            self._open_block = b""
            self.requests[frame.stream_id] = list(fields)
            self.bodies[frame.stream_id] = bytearray()

    def grant(self, stream: int, more: int) -> None:
        """Give room for more data of a stream, or with 0 of all."""
        self.send(WindowUpdateFrame(stream, window_increment=more))

    def reset(self, stream: int, code: int) -> None:
        """Reset a stream."""
        self.send(RstStreamFrame(stream, error_code=code))

    def goaway(self, last: int, code: int = 0, words: bytes = b"") -> None:
        """End the connection in HTTP/2's way."""
        self.send(GoAwayFrame(0, last, code, additional_data=words))

    def deafen(self) -> None:
        """Stop reading, until the connection is closed from this side."""
        self._deaf.wait()

    def close(self) -> None:
        """Close the connection in TCP's way."""
        self._deaf.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def abort(self) -> None:
        """Close the connection with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stream.close()
        self.socket.close()


OnConnection = Callable[[Peer], None]


class Server:
    """Accepts connections from the start of the block to its end."""

    def __init__(
        self,
        on_connection: OnConnection,
        settings: dict[int, int] | None = None,
        greets: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._on_connection = on_connection
        self._settings = (settings or {}) if greets else None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{self._listening.getsockname()[1]}"
        self.peers: list[Peer] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Server:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for peer in self.peers:
            peer.close()
        for thread in self._threads:
            thread.join(TIMEOUT)

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(accepted,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError), accepted, accepted.makefile("rb") as stream:
            peer = Peer(accepted, stream)
            self.peers.append(peer)
            if self._settings is not None:
                peer.send(SettingsFrame(0, settings=self._settings))
            try:
                self._on_connection(peer)
            finally:
                peer.ended.set()


def calls(on_call: Callable[[Peer, int], None]) -> OnConnection:
    """Serve the calls of each connection."""
    return lambda peer: peer.serve(on_call)

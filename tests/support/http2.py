"""HTTP/2 by hand: connections that send any frames, also those that no library would."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator, Mapping
from types import TracebackType

from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SUBMIT = "/taskqueue.v1.TaskQueueService/SubmitJob"
RESULT = "/taskqueue.v1.TaskQueueService/GetJobResult"
LIST = "/taskqueue.v1.TaskQueueService/ListJobs"
TIMEOUT = 20.0

Fields = Mapping[str, str | bytes]


def message_frame(message: bytes) -> bytes:
    """Return a message as gRPC puts it into a stream."""
    return struct.pack(">BI", 0, len(message)) + message


class Connection:
    """A connection to a server, from the preface on; ``window`` is the room for each answer."""

    def __init__(
        self,
        endpoint: str,
        window: int | None = None,
        receive_buffer: int = 0,
        preface: bool = True,
    ) -> None:
        host, _, port = endpoint.rpartition(":")
        self.endpoint = endpoint
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect((host, int(port)))
        self._encoder = Encoder()
        self._decoder = Decoder()
        if not preface:
            return
        settings = {} if window is None else {SettingsFrame.INITIAL_WINDOW_SIZE: window}
        self.send_bytes(PREFACE + SettingsFrame(0, settings=settings).serialize())

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send_bytes(self, raw: bytes) -> None:
        """Send anything."""
        self.socket.sendall(raw)

    def send(self, *frames: Frame) -> None:
        """Send frames in one write."""
        self.send_bytes(b"".join(frame.serialize() for frame in frames))

    def block(self, path: str | bytes, extra: Fields | None = None) -> bytes:
        """Return the header block of a gRPC call."""
        headers: list[tuple[str | bytes, str | bytes]] = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", self.endpoint),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            *(extra or {}).items(),
        ]
        # Huffman's code is slow here, and saves nobody anything.
        return self._encoder.encode(headers, huffman=False)

    def headers(
        self, stream: int, path: str | bytes = SUBMIT, extra: Fields | None = None
    ) -> HeadersFrame:
        """Return the frame that opens a call."""
        return HeadersFrame(stream, self.block(path, extra), flags=["END_HEADERS"])

    def call(self, stream: int, path: str, message: bytes) -> None:
        """Send a whole call with a small message."""
        data = DataFrame(stream, message_frame(message), flags=["END_STREAM"])
        self.send(self.headers(stream, path), data)

    def send_message(self, stream: int, message: bytes) -> None:
        """Send the message of a call that was opened, and end it."""
        self.send_data(stream, message_frame(message))

    def send_data(self, stream: int, data: bytes) -> None:
        """Send data of a call that was opened, and end it."""
        self.send(DataFrame(stream, data, flags=["END_STREAM"]))

    def frames(self) -> Iterator[Frame]:
        """Give the frames that arrive until the server closes the connection.

        Raises ``TimeoutError`` if nothing arrives for ``TIMEOUT`` seconds.
        """
        with contextlib.suppress(ConnectionResetError), self.socket.makefile("rb") as stream:
            while len(head := stream.read(9)) == 9:
                frame, length = Frame.parse_frame_header(memoryview(head))
                frame.parse_body(memoryview(stream.read(length)))
                yield frame

    def status_of(self, stream: int) -> str:
        """Wait until a stream has ended; returns its ``grpc-status`` or why there is none."""
        status = ""
        for frame in self.frames():
            if isinstance(frame, HeadersFrame):
                fields = dict(self._decoder.decode(frame.data))
                if frame.stream_id == stream:
                    status = str(fields.get("grpc-status", status))
                    if "END_STREAM" in frame.flags:
                        return status or "no status"
            elif isinstance(frame, RstStreamFrame) and frame.stream_id == stream:
                return status or f"reset {frame.error_code}"
            elif isinstance(frame, GoAwayFrame):
                status = status or f"goaway {frame.error_code}"
        return status or "closed"

    def reset(self) -> None:
        """Close the connection with a TCP reset, as a client that dies does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_until_closed(self) -> list[Frame]:
        """Read until the server closes the connection; returns what it still sent."""
        return list(self.frames())

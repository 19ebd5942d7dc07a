"""What the libraries for HTTP/2 cost a unary call: writing its frames and reading its answer's.

``python -m studies.transports.frames``. The libraries that the project does not use are measured
where they are installed: ``pip install h2 jh2``.
"""

from __future__ import annotations

import importlib
import struct
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

from hpack import Decoder, Encoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame, SettingsFrame, WindowUpdateFrame

from studies.tables import table

CALLS, ROUNDS = 3000, 5
REQUEST = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/taskqueue.v1.TaskQueueService/SubmitJob"),
    (":authority", "127.0.0.1:50051"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
    ("user-agent", "grpc-gevent/1"),
    ("grpc-timeout", "5S"),
]
HEADERS = [(":status", "200"), ("content-type", "application/grpc")]
TRAILERS = [("grpc-status", "0"), ("grpc-message", "")]
MESSAGE = b"\0" * 30


def answers() -> list[bytes]:
    """Return what a server sends for each call."""
    encoder = Encoder()

    def answer(stream: int) -> bytes:
        first, last = (encoder.encode(each, huffman=False) for each in (HEADERS, TRAILERS))
        parts = (
            HeadersFrame(stream, first, flags=["END_HEADERS"]),
            DataFrame(stream, MESSAGE),
            HeadersFrame(stream, last, flags=["END_HEADERS", "END_STREAM"]),
        )
        return b"".join(each.serialize() for each in parts)

    return [answer(2 * number + 1) for number in range(CALLS)]


def whole_library(name: str) -> Callable[[list[bytes]], None]:
    """Return a run with a library that does all of HTTP/2."""
    connection = importlib.import_module(f"{name}.connection")
    config = importlib.import_module(f"{name}.config")
    room = WindowUpdateFrame(0, window_increment=len(MESSAGE)).serialize()

    def run(answered: list[bytes]) -> None:
        made: Any = connection.H2Connection(config.H2Configuration(client_side=True))
        made.initiate_connection()
        made.receive_data(SettingsFrame(0).serialize())
        for data in answered:
            stream = made.get_next_available_stream_id()
            made.send_headers(stream, REQUEST)
            made.send_data(stream, MESSAGE, end_stream=True)
            made.data_to_send()
            made.receive_data(data + room)
            made.increment_flow_control_window(len(MESSAGE))

    return run


def hpack_and_hyperframe(answered: list[bytes]) -> None:
    """Write and read every frame as an object, every block anew."""
    encoder, decoder = Encoder(), Decoder()
    for number, data in enumerate(answered):
        stream = 2 * number + 1
        block = encoder.encode(REQUEST, huffman=False)
        HeadersFrame(stream, block, flags=["END_HEADERS"]).serialize()
        DataFrame(stream, MESSAGE, flags=["END_STREAM"]).serialize()
        for frame in objects(data):
            if isinstance(frame, HeadersFrame):
                decoder.decode(frame.data)


def hyperframe_alone(answered: list[bytes]) -> None:
    """Write and read every frame as an object, with blocks that are known."""
    block = Encoder().encode(REQUEST, huffman=False)
    for number, data in enumerate(answered):
        stream = 2 * number + 1
        HeadersFrame(stream, block, flags=["END_HEADERS"]).serialize()
        DataFrame(stream, MESSAGE, flags=["END_STREAM"]).serialize()
        for _ in objects(data):
            pass


def objects(data: bytes) -> list[Frame]:
    """Return the frames in some bytes."""
    found, at, view = [], 0, memoryview(data)
    while at < len(data):
        frame, length = Frame.parse_frame_header(view[at : at + 9])
        frame.parse_body(view[at + 9 : at + 9 + length])
        found.append(frame)
        at += 9 + length
    return found


def struct_alone(answered: list[bytes]) -> None:
    """Write and read the same frames as numbers, with blocks that are known."""
    block = Encoder().encode(REQUEST, huffman=False)
    head = struct.Struct(">HBBBL")
    for number, data in enumerate(answered):
        stream = 2 * number + 1
        b"".join((head.pack(0, len(block), 1, 4, stream), block))
        b"".join((head.pack(0, len(MESSAGE), 0, 1, stream), MESSAGE))
        at = 0
        while at < len(data):
            high, low, *_ = head.unpack_from(data, at)
            at += 9 + (high << 8 | low)


def main() -> None:
    """Print the microseconds of CPU that each takes for a call."""
    ways: dict[str, Callable[[list[bytes]], None]] = {
        name: whole_library(name) for name in ("h2", "jh2") if find_spec(name)
    }
    ways |= {
        "hpack and hyperframe": hpack_and_hyperframe,
        "hyperframe, with known header blocks": hyperframe_alone,
        "struct, with known header blocks": struct_alone,
    }
    answered = answers()
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            began = time.process_time()
            run(answered)
            costs[name].append(1e6 * (time.process_time() - began) / CALLS)
    rows = [
        [name, f"{median(each):.1f} ({min(each):.1f}–{max(each):.1f})"]
        for name, each in costs.items()
    ]
    sys.stdout.write(table(["frames by", "µs CPU a call"], rows))


if __name__ == "__main__":
    main()

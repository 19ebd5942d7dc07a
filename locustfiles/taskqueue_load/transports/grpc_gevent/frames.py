"""HTTP/2 frames as bytes.

The frames that every call has, HEADERS and DATA, and the WINDOW_UPDATE that a server sends for it,
are split and made here with ``struct``; all others are read and made by hyperframe, which also
undoes padding. Its objects for these would cost more than all the rest of a call (see README.md).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from hyperframe.exceptions import HyperframeError
from hyperframe.frame import DataFrame, Frame, HeadersFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# Types and flags of RFC 9113 that are asked for here.
DATA, HEADERS, SETTINGS, WINDOW_UPDATE, CONTINUATION = 0x0, 0x1, 0x4, 0x8, 0x9
END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x4, 0x8, 0x20

# Error codes of RFC 9113, section 7.
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0x0, 0x1, 0x2, 0x3
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 0x6, 0x7, 0x8, 0x9
ENHANCE_YOUR_CALM, INADEQUATE_SECURITY = 0xB, 0xC

# What a peer may send unless it was allowed more, which it is not.
LARGEST_FRAME = 16_384

_HEAD = struct.Struct(">HBBBL")
_HEAD_AND_PREFIX = struct.Struct(">HBBBLBL")
HEAD_BYTES = _HEAD.size
PREFIX_BYTES = 5

RawFrame = tuple[int, int, int, bytes]
"""Type, flags, stream id and body of a frame, as they came."""


class ConnectionFault(Exception):
    """The peer broke the protocol in a way that ends the connection; ``code`` goes into GOAWAY."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class Splitter:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[RawFrame]:
        """Give the frames that are complete with ``data``.

        To be exhausted before it is called again. Raises :class:`ConnectionFault` for a frame that
        is larger than any may be.
        """
        if self._rest:
            data = self._rest + data
        at, end, unpack = 0, len(data), _HEAD.unpack_from
        while end - at >= HEAD_BYTES:
            high, low, kind, flags, stream = unpack(data, at)
            length = high << 8 | low
            if length > LARGEST_FRAME:
                raise ConnectionFault(FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            next_at = at + HEAD_BYTES + length
            if next_at > end:
                break
            body = data[at + HEAD_BYTES : next_at]
            at = next_at
            yield kind, flags, stream & 0x7FFFFFFF, body
        self._rest = data[at:]


def head(kind: int, flags: int, stream: int, length: int) -> bytes:
    """Return the nine bytes before a body of ``length`` bytes."""
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream)


def message_prefix(length: int) -> bytes:
    """Return the five bytes that gRPC puts before a message, which is not compressed."""
    return b"\0" + length.to_bytes(4, "big")


def whole_call(stream: int, block: bytes, message: bytes) -> bytes:
    """Return a call in one HEADERS and one DATA frame, as one write."""
    size = len(block)
    length = len(message)
    framed = length + PREFIX_BYTES
    return b"".join(
        (
            _HEAD.pack(size >> 8, size & 0xFF, HEADERS, END_HEADERS, stream),
            block,
            _HEAD_AND_PREFIX.pack(framed >> 8, framed & 0xFF, DATA, END_STREAM, stream, 0, length),
            message,
        )
    )


def header_frames(stream: int, block: bytes, largest: int) -> bytes:
    """Return a header block, with as many CONTINUATION frames as ``largest`` makes necessary."""
    parts = [block[at : at + largest] for at in range(0, len(block), largest)]
    last = len(parts) - 1
    written: list[bytes] = []
    for number, part in enumerate(parts):
        kind = CONTINUATION if number else HEADERS
        written += (head(kind, END_HEADERS if number == last else 0, stream, len(part)), part)
    return b"".join(written)


def parsed(raw: RawFrame) -> Frame:
    """Return a frame as hyperframe has it. Raises :class:`ConnectionFault` if it makes no sense."""
    kind, flags, stream, body = raw
    try:
        frame, _ = Frame.parse_frame_header(memoryview(head(kind, flags, stream, len(body))))
        frame.parse_body(memoryview(body))
    except HyperframeError as error:
        raise ConnectionFault(FRAME_SIZE_ERROR, f"a frame of type {kind}: {error}") from error
    return frame


def increment(body: bytes) -> int:
    """Return what a WINDOW_UPDATE adds. Raises :class:`ConnectionFault` if that makes no sense."""
    more = int.from_bytes(body, "big") & 0x7FFFFFFF
    if len(body) != 4 or not more:
        raise ConnectionFault(PROTOCOL_ERROR, "a WINDOW_UPDATE of nothing")
    return more


def unpadded(raw: RawFrame) -> bytes:
    """Return what a HEADERS or DATA frame holds besides its padding and priority."""
    frame = parsed(raw)
    assert isinstance(frame, DataFrame | HeadersFrame)
    return bytes(frame.data)

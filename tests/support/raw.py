"""A unary call by hand, because a client library does not send one whose deadline is past."""

from __future__ import annotations

import socket
import struct

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS = 0, 1, 3, 4
_END_STREAM, _END_HEADERS = 0x1, 0x4


def call_with_timeout(endpoint: str, method: str, message: bytes, grpc_timeout: str) -> None:
    """Send one call with this ``grpc-timeout`` header and wait until its stream has ended.

    Raises ``TimeoutError`` if the server leaves the stream open for ten seconds.
    """
    host, _, port = endpoint.rpartition(":")
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": endpoint,
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-timeout": grpc_timeout,
    }
    body = struct.pack(">BI", 0, len(message)) + message
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            _PREFACE
            + _frame(_SETTINGS, 0, 0, b"")
            + _frame(_HEADERS, _END_HEADERS, 1, b"".join(map(_literal, headers.items())))
            + _frame(_DATA, _END_STREAM, 1, body)
        )
        _read_to_end(connection)


def _literal(header: tuple[str, str]) -> bytes:
    """Encode a header for HPACK as a literal that is not indexed; parts under 127 bytes."""
    return b"\0" + b"".join(bytes([len(part)]) + part.encode() for part in header)


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind, flags, stream) + body


def _read_to_end(connection: socket.socket) -> None:
    with connection.makefile("rb") as frames:
        while head := frames.read(9):
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            frames.read(int.from_bytes(head[:3]))
            ended = kind == _RESET or (kind in (_HEADERS, _DATA) and flags & _END_STREAM)
            if stream == 1 and ended:
                return
    raise ConnectionError("the server closed the connection before the stream had ended")

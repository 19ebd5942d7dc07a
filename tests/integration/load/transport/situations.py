"""What a server may do with a call."""

from __future__ import annotations

import base64
from collections.abc import Callable

from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    SettingsFrame,
)

from tests.support.http2 import message_frame
from tests.support.http2_server import OK_HEADERS, Headers, Peer

Situation = Callable[[Peer, int], None]
MESSAGE = b"abc"
WHOLE = message_frame(MESSAGE)
STATUS_5: Headers = (("grpc-status", "5"), ("grpc-message", "not%20here%2"), ("x-t", "1"))
LONG = "y" * 20_000


def body(data: bytes, trailers: Headers = (("grpc-status", "0"),)) -> Situation:
    """Answer with these bytes where a message is to be."""
    return lambda peer, stream: peer.send(
        peer.headers(stream, OK_HEADERS), DataFrame(stream, data), peer.trailers(stream, trailers)
    )


def trailers(*fields: tuple[str, str | bytes]) -> Situation:
    """Answer with a message and these trailers."""
    return body(WHOLE, fields)


def status(text: str) -> Situation:
    """Answer with a message and this status."""
    return trailers(("grpc-status", text), ("grpc-message", "said"))


def first(*fields: tuple[str, str | bytes], whole: bool = False) -> Situation:
    """Answer with these headers; as trailers, or with a message and good trailers after them."""

    def act(peer: Peer, stream: int) -> None:
        if whole:
            peer.send(peer.headers(stream, fields, "END_STREAM"))
            return
        peer.send(peer.headers(stream, fields), DataFrame(stream, WHOLE), peer.trailers(stream))

    return act


def raw(data: bytes) -> Situation:
    """Send bytes that are no frames, or frames of nobody."""
    return lambda peer, stream: peer.socket.sendall(data)


def then_answer(before: Situation) -> Situation:
    """Do something else and answer."""

    def act(peer: Peer, stream: int) -> None:
        before(peer, stream)
        peer.answer(stream, MESSAGE)

    return act


def reset(code: int, after: int) -> Situation:
    """Reset the stream at once, after the headers, or after the message."""

    def act(peer: Peer, stream: int) -> None:
        if after:
            peer.send(peer.headers(stream, OK_HEADERS))
        if after > 1:
            peer.send(DataFrame(stream, WHOLE))
        peer.reset(stream, code)

    return act


def continued(fields: Headers, *flags: str) -> Situation:
    """Answer with a header block that takes two frames, and good trailers unless it ends."""

    def act(peer: Peer, stream: int) -> None:
        if flags:
            peer.send(peer.headers(stream, OK_HEADERS), DataFrame(stream, WHOLE))
        block = peer.block(fields)
        peer.send(
            HeadersFrame(stream, block[: len(block) // 2], flags=flags),
            ContinuationFrame(stream, block[len(block) // 2 :], flags=["END_HEADERS"]),
        )
        if not flags:
            peer.send(DataFrame(stream, WHOLE), peer.trailers(stream))

    return act


def ended_by_data(*fields: tuple[str, str]) -> Situation:
    """Answer as another server than one of gRPC."""
    return lambda peer, stream: peer.send(
        peer.headers(stream, fields), DataFrame(stream, b"<html>", flags=["END_STREAM"])
    )


def byte_by_byte(peer: Peer, stream: int) -> None:
    """Answer in writes of a byte."""
    for byte in (
        peer.headers(stream, OK_HEADERS).serialize()
        + DataFrame(stream, WHOLE).serialize()
        + peer.trailers(stream).serialize()
    ):
        peer.socket.sendall(bytes([byte]))


def headers_again(peer: Peer, stream: int) -> None:
    """Send headers a second time that end nothing."""
    peer.send(peer.headers(stream, OK_HEADERS), peer.headers(stream, (("a", "b"),)))


def goaway(covers: bool, then: Callable[[Peer, int], None], code: int = 0) -> Situation:
    """End the connection, and say whether the call is still served."""

    def act(peer: Peer, stream: int) -> None:
        peer.goaway(stream if covers else 0, code, b"bye")
        then(peer, stream)

    return act


def nothing(_peer: Peer, _stream: int) -> None:
    """Do nothing."""


def partly(then: Callable[[Peer], None]) -> Situation:
    """Answer in part."""

    def act(peer: Peer, stream: int) -> None:
        peer.send(peer.headers(stream, OK_HEADERS), DataFrame(stream, WHOLE))
        then(peer)

    return act


def _binary(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


ALIKE: dict[str, Situation] = {
    "an answer": body(WHOLE),
    "an empty answer": body(message_frame(b"")),
    "an answer in two frames": lambda peer, stream: peer.send(
        peer.headers(stream, OK_HEADERS),
        DataFrame(stream, WHOLE[:3]),
        DataFrame(stream, WHOLE[3:]),
        peer.trailers(stream),
    ),
    "an answer byte by byte": byte_by_byte,
    "metadata": trailers(
        ("grpc-status", "0"), ("x-a", "1"), ("y-bin", _binary(b"\0\xff")), ("x-a", "2")
    ),
    "metadata of odd texts": trailers(
        ("grpc-status", "0"), ("a", " sp "), ("b", b"\xe9\xff"), ("c", ""), ("d", "é")
    ),
    "padded base64": trailers(("grpc-status", "0"), ("b-bin", "AA==")),
    "base64 that is none": trailers(("grpc-status", "0"), ("a-bin", "!!!")),
    "a key in capitals": trailers(("grpc-status", "0"), ("ABC", "1")),
    "headers with metadata": first(
        *OK_HEADERS, ("x-i", "v"), ("grpc-accept-encoding", "identity,gzip"), ("server", "z")
    ),
    "trailers alone": first(*OK_HEADERS, *STATUS_5, whole=True),
    "an error after a message": body(WHOLE, STATUS_5),
    "an error after half a message": body(WHOLE[:6], STATUS_5),
    "a message to a good status": trailers(("grpc-status", "0"), ("grpc-message", "fine")),
    "a message in UTF-8": trailers(("grpc-status", "9"), ("grpc-message", "é%C3%A9")),
    "rich details": trailers(
        ("grpc-status", "9"), ("grpc-message", "m"), ("grpc-status-details-bin", "CAkSAW0")
    ),
    "no status": trailers(("x", "y")),
    "no status and no message": lambda peer, stream: peer.send(
        peer.headers(stream, OK_HEADERS), peer.trailers(stream, (("x", "y"),))
    ),
    "the end with data": partly(lambda peer: peer.send(DataFrame(1, b"", flags=["END_STREAM"]))),
    "the end with headers": first(*OK_HEADERS, whole=True),
    "status twice": trailers(("grpc-status", "5"), ("grpc-status", "6")),
    "status in the headers too": first(*OK_HEADERS, ("grpc-status", "5")),
    "no HTTP status": first(OK_HEADERS[1]),
    "an HTTP status that is none": first((":status", "abc"), OK_HEADERS[1]),
    "HTTP 503 before a good answer": first((":status", "503"), OK_HEADERS[1]),
    "HTTP 503 with trailers alone": first((":status", "503"), ("grpc-status", "7"), whole=True),
    "HTTP 103": first((":status", "103")),
    "a page": ended_by_data((":status", "200"), ("content-type", "text/html")),
    "a page of an error": ended_by_data((":status", "503"), ("content-type", "text/html")),
    "another content type": first((":status", "200"), ("content-type", "text/html")),
    "no content type": first((":status", "200")),
    "headers twice": headers_again,
    "data before headers": lambda peer, stream: peer.send(
        DataFrame(stream, WHOLE), peer.trailers(stream)
    ),
    "compressed though nobody said so": body(b"\1" + WHOLE[1:]),
    "compressed, with an error": body(b"\1" + WHOLE[1:], STATUS_5),
    "an unknown encoding": first(*OK_HEADERS, ("grpc-encoding", "snappy")),
    "an encoding that is not used": first(*OK_HEADERS, ("grpc-encoding", "gzip")),
    "a message that is too large": body(b"\0\7\0\0\0abc"),
    "headers that are too large": continued((*OK_HEADERS, ("x", LONG))),
    "trailers that are too large": continued((("grpc-status", "0"), ("x", LONG)), "END_STREAM"),
    "headers in two frames": continued((*OK_HEADERS, ("x", "y" * 200))),
    "trailers in two frames": continued((("grpc-status", "0"), ("x", "y" * 200)), "END_STREAM"),
    "an end and a reset": lambda peer, stream: (
        peer.answer(stream, MESSAGE),
        peer.reset(stream, 0),
    )[1],
    "a ping": then_answer(lambda peer, _: peer.send(PingFrame(0, b"12345678"))),
    "an unknown frame": then_answer(raw(b"\0\0\4\xee\0\0\0\0\0abcd")),
    "data of no stream": then_answer(lambda peer, _: peer.send(DataFrame(99, b"x"))),
    "headers of no stream": then_answer(lambda peer, _: peer.send(peer.headers(99, OK_HEADERS))),
    "headers of a server's stream": then_answer(
        lambda peer, _: peer.send(peer.headers(2, OK_HEADERS))
    ),
    "silence": nothing,
    "silence after headers": lambda peer, stream: peer.send(peer.headers(stream, OK_HEADERS)),
    "GOAWAY that leaves the call out": goaway(False, nothing),
    "GOAWAY and the end": goaway(False, lambda peer, _: peer.close()),
    "GOAWAY because of pings": goaway(False, nothing, 11),
    "GOAWAY that covers the call": goaway(True, lambda peer, stream: peer.answer(stream, MESSAGE)),
    "GOAWAY that covers the call and the end": goaway(True, lambda peer, _: peer.close()),
    "a closed connection": lambda peer, _: peer.close(),
    "a closed connection in the middle": partly(Peer.close),
    "a header block that is none": lambda peer, stream: peer.send(
        HeadersFrame(stream, b"\xff\xff\xff\xff\xff", flags=["END_HEADERS"])
    ),
    "a frame that is too large": raw(b"\x7f\xff\xff\0\0\0\0\0\1" + b"x" * 100),
    "a window of nothing": raw(b"\0\0\4\x08\0\0\0\0\1\0\0\0\0"),
    "a largest frame of nothing": lambda peer, _: peer.send(SettingsFrame(0, settings={5: 1})),
    "an interrupted header block": lambda peer, stream: peer.send(
        HeadersFrame(stream, peer.block(OK_HEADERS)[:3]), PingFrame(0, b"12345678")
    ),
    **{f"status {text!r}": status(text) for text in ("", "-1", "00", "17", "99", "bad")},
    **{f"status {number}": status(str(number)) for number in range(17)},
    **{f"reset {code} after {after}": reset(code, after) for code in range(15) for after in (0, 1)},
    **{f"reset {code} after the message": reset(code, 2) for code in (0, 1, 8)},
    **{
        f"HTTP {code} alone": first((":status", str(code)), whole=True)
        for code in (100, 204, 302, 400, 401, 403, 404, 409, 429, 499, 500, 501, 502, 503, 504, 599)
    },
}
"""Both clients see the same."""

AS_IN_LATER_VERSIONS = {
    **dict.fromkeys(
        (
            *("base64 that is none", "a key in capitals", "an HTTP status that is none"),
            *("compressed though nobody said so", "compressed, with an error"),
            *("an unknown encoding", "a header block that is none"),
            *("status ''", "status '-1'", "status 'bad'"),
        ),
        "INTERNAL",
    ),
    "a message that is too large": "RESOURCE_EXHAUSTED",
    "a frame that is too large": "UNKNOWN",
}
"""What is malformed, and what ours says of it: as grpcio 1.85, which is not as 1.75."""

OTHERWISE: dict[str, tuple[Situation, str, str]] = {
    "OK without a message": (
        first(*OK_HEADERS, ("grpc-status", "0"), whole=True),
        "OK",
        "INTERNAL",
    ),
    "OK after half a message": (body(WHOLE[:6]), "OK", "INTERNAL"),
    "two messages": (body(WHOLE + WHOLE), "DEADLINE_EXCEEDED", "INTERNAL"),
    "a message that is compressed in an unknown way": (body(b"\2" + WHOLE[1:]), "OK", "INTERNAL"),
    "padding": (
        lambda peer, stream: peer.send(
            peer.headers(stream, OK_HEADERS),
            DataFrame(stream, WHOLE, pad_length=10, flags=["PADDED"]),
            peer.trailers(stream),
        ),
        "INTERNAL",
        "OK",
    ),
    "a push": (
        lambda peer, stream: peer.send(
            PushPromiseFrame(stream, promised_stream_id=2, data=b"", flags=["END_HEADERS"])
        ),
        "DEADLINE_EXCEEDED",
        "UNKNOWN",
    ),
    "too much room": (
        raw(b"\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff"),
        "DEADLINE_EXCEEDED",
        "UNKNOWN",
    ),
}
"""Here they differ, by decision: what grpcio says, and what ours says; see the README."""

"""A server that sends anything: every call ends with a status, and nothing is left of it."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any
from unittest import mock

import gevent
import grpc
import pytest
from gevent.hub import Hub
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.http2 import message_frame
from tests.support.http2_server import OK_HEADERS, OK_TRAILERS
from tests.unit.locustfiles.modules import load

connection_module = load("transports.grpc_gevent.connection")
call_module = load("transports.grpc_gevent.call")
status_module = load("transports.grpc_gevent.status")
FIELDS = ((":method", "POST"), (":path", "/some.Service/Method"))
SECONDS = 5.0


def block(fields: Any) -> bytes:
    return bytes(Encoder().encode(list(fields), huffman=False))


streams = st.sampled_from([0, 1, 1, 1, 3, 5, 2, 99, 2**31 - 1])
numbers = st.sampled_from([0, 1, 5, 65_535, 2**31 - 1]) | st.integers(0, 2**31 - 1)
flags = st.integers(0, 255)
blocks = st.sampled_from([block(OK_HEADERS), block(OK_TRAILERS), b""]) | st.binary(max_size=60)
bodies = st.sampled_from([message_frame(b"abc"), b"\0\0", b"\0\xff\xff\xff\xff"]) | st.binary(
    max_size=60
)


def raw_frame(kind: int, flag: int, stream: int, body: bytes, more: int) -> bytes:
    """Any frame, whose length may be wrong."""
    length = max(0, len(body) + more)
    return length.to_bytes(3, "big") + bytes([kind, flag]) + stream.to_bytes(4, "big") + body


def known(make: Any, **parts: Any) -> st.SearchStrategy[bytes]:
    """A frame that is well formed, with any flags."""

    def build(stream: int, flag: int, given: dict[str, Any]) -> bytes:
        try:
            written = bytearray(make(stream or 1, **given).serialize())
        except Exception:  # what cannot be written is written by hand elsewhere
            return b""
        written[4] = flag
        return bytes(written)

    return st.builds(build, streams, flags, st.fixed_dictionaries(parts))


setting_values = st.dictionaries(st.integers(0, 9), numbers, max_size=3)
frames = st.one_of(
    st.builds(
        raw_frame,
        st.integers(0, 12),
        flags,
        streams,
        blocks | bodies,
        st.sampled_from([0, 0, 0, -1, 1, 70_000]),
    ),
    known(HeadersFrame, data=blocks),
    known(ContinuationFrame, data=blocks),
    known(DataFrame, data=bodies),
    known(RstStreamFrame, error_code=numbers),
    known(WindowUpdateFrame, window_increment=numbers),
    known(PushPromiseFrame, promised_stream_id=streams, data=blocks),
    st.builds(lambda values: SettingsFrame(0, settings=values).serialize(), setting_values),
    st.builds(lambda data: PingFrame(0, data).serialize(), st.binary(min_size=8, max_size=8)),
    st.builds(lambda last, code: GoAwayFrame(0, last, code, b"bye").serialize(), streams, numbers),
    st.just(HeadersFrame(1, block(OK_HEADERS), flags=["END_HEADERS"]).serialize()),
    st.just(DataFrame(1, message_frame(b"abc")).serialize()),
    st.just(HeadersFrame(1, block(OK_TRAILERS), flags=["END_HEADERS", "END_STREAM"]).serialize()),
)
answers = st.lists(frames, max_size=12).map(b"".join) | st.binary(max_size=200)


@contextmanager
def pair() -> Iterator[tuple[Any, socket.socket]]:
    """A connection and the socket of its server, which has greeted."""
    ours, theirs = socket.socketpair()
    for each in (ours, theirs):
        each.setblocking(False)
    retired: list[Any] = []
    hub: Any = gevent.get_hub()
    defects: list[Any] = []
    connection = connection_module.Connection(hub, ours, retired.append)
    with theirs, mock.patch.object(hub, "handle_error", lambda *error: defects.append(error)):
        theirs.send(SettingsFrame(0).serialize())
        gevent.sleep(0)
        yield connection, theirs
        connection.close(status_module.CLOSED)
        gevent.sleep(0)
    assert not defects
    assert retired == [connection]
    assert connection.closed
    assert not connection.calls


def started(hub: Hub, connection: Any, message: bytes = b"") -> Any:
    """A call that has been started."""
    call = call_module.Call(hub, FIELDS, b"", 100, message, None, 1 << 20)
    connection.start(call, SECONDS)
    return call


def drain(theirs: socket.socket) -> None:
    """Let the loop turn until nothing more comes of what was sent."""
    for _ in range(3):
        gevent.sleep(0)
        try:
            while theirs.recv(65_536):
                pass
        except OSError:
            pass


def check(sent: bytes, cuts: list[int], closes: bool) -> None:
    """Send bytes in pieces to a connection with calls on it; all calls end, each once."""
    hub = gevent.get_hub()
    with pair() as (connection, theirs):
        calls = [started(hub, connection, message) for message in (b"", b"x" * 70_000, b"y")]
        places = sorted({0, len(sent), *(cut % (len(sent) + 1) for cut in cuts)})
        for begin, end in pairwise(places):
            try:
                theirs.send(sent[begin:end])
            except OSError:  # the client has closed
                break
            drain(theirs)
        if closes:
            theirs.close()
            gevent.sleep(0)
        for call in calls:
            connection.abandon(call, status_module.Outcome(grpc.StatusCode.DEADLINE_EXCEEDED))
            call.wait()
            assert isinstance(call.outcome.code, grpc.StatusCode)
            if call.outcome.code is grpc.StatusCode.OK:
                assert call.answer is not None


@settings(max_examples=150)
@given(sent=answers, cuts=st.lists(st.integers(0, 300), max_size=4), closes=st.booleans())
def test_every_call_ends_whatever_a_server_sends(
    sent: bytes, cuts: list[int], closes: bool
) -> None:
    check(sent, cuts, closes)


@pytest.mark.slow
@settings(max_examples=4_000)
@given(sent=answers, cuts=st.lists(st.integers(0, 300), max_size=4), closes=st.booleans())
def test_every_call_ends_whatever_a_server_sends_for_long(
    sent: bytes, cuts: list[int], closes: bool
) -> None:
    check(sent, cuts, closes)


@pytest.mark.parametrize(
    "flood",
    [
        PingFrame(0, b"12345678").serialize(),
        SettingsFrame(0, settings={3: 1}).serialize(),
        WindowUpdateFrame(0, window_increment=1).serialize(),
        HeadersFrame(1, b"\x88").serialize(),
        DataFrame(1, b"").serialize(),
        RstStreamFrame(99).serialize(),
    ],
    ids=["pings", "settings", "windows", "headers", "empty data", "resets"],
)
def test_a_flood_of_frames_leaves_little_in_memory(
    monkeypatch: pytest.MonkeyPatch, flood: bytes
) -> None:
    monkeypatch.setattr(connection_module, "_MOST_UNREAD", 100_000)
    with pair() as (connection, theirs):
        call = started(gevent.get_hub(), connection)
        for _ in range(600):
            try:
                theirs.send(flood * 100)
            except BlockingIOError:
                pass
            except OSError:
                break
            # The answers are never read.
            gevent.sleep(0)

            assert connection.unsent_bytes < 200_000
        connection.abandon(call, status_module.CLOSED)


def test_calls_and_connections_that_have_ended_are_collected() -> None:
    def living() -> int:
        gc.collect()
        kinds = (call_module.Call, connection_module.Connection)
        return sum(isinstance(each, kinds) for each in gc.get_objects())

    before = living()
    for _ in range(20):
        check(message_frame(b"abc") * 3, [5], closes=True)

    assert living() <= before

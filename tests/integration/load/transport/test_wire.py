"""A socket that makes nobody wait passes on every byte once, in order."""

from __future__ import annotations

import random
import socket

import gevent

from tests.support.waiting import eventually
from tests.unit.locustfiles.modules import load

wire = load("transports.grpc_gevent.wire")


class Noted:
    """Notes what a wire reports."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.closed = ""
        self.sent = 0

    def on_bytes(self, data: bytes) -> None:
        self.received += data

    def on_closed(self, words: str) -> None:
        self.closed = words

    def on_sent(self) -> None:
        self.sent += 1


def read(source: socket.socket, size: int) -> bytes:
    """What is there to read, if anything is."""
    try:
        return source.recv(size)
    except BlockingIOError:
        return b""


def test_bytes_arrive_once_and_in_order_however_little_fits_at_a_time() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 5000)
    for each in (ours, theirs):
        each.setblocking(False)
    noted, rng, sent, arrived = Noted(), random.Random(1), bytearray(), bytearray()
    made = wire.Wire(gevent.get_hub(), ours, noted)
    with theirs:
        for _ in range(200):
            part = rng.randbytes(rng.randrange(1, 9000))
            sent += part
            made.write(part)
            if rng.random() < 0.5:
                arrived += read(theirs, rng.randrange(1, 20_000))
                gevent.sleep(0)
        while len(arrived) < len(sent):
            arrived += read(theirs, 100_000)
            gevent.sleep(0)
        assert arrived == sent
        assert made.unsent_bytes == 0
        assert noted.sent > 0

        theirs.send(b"answer")
        eventually(lambda: gevent.sleep(0) or noted.received == b"answer", what="the answer")
    eventually(lambda: gevent.sleep(0) or noted.closed, what="the end of the connection")
    made.close()
    made.write(b"too late")
    assert made.unsent_bytes == 0

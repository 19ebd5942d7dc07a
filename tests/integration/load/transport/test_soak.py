"""Calls of many kinds over connections that are cut all the time: none is lost, doubled or endless.

A real server of gRPC counts what reaches it; a relay before it cuts the connections.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import gevent
import grpc
import pytest

from tests.integration.load.transport.conftest import Open
from tests.support.waiting import eventually

METHOD = "/a.B/Echo"
DEADLINE = 2.0
_AFTER = b"after cuts  "


class Relay:
    """Passes bytes on in both directions, until it cuts a connection in the middle of them."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                pair = (
                    self._listening.accept()[0],
                    socket.create_connection(("127.0.0.1", self._to)),
                )
                self._pairs.append(pair)
                for ends in (pair, pair[::-1]):
                    threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(random.choice((7, 100, 65_536))):
                sink.sendall(data)
        self._end(source, sink)

    def _end(self, *ends: socket.socket) -> None:
        for each in ends:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def cut(self, rng: random.Random) -> None:
        """Cut all connections that there are, in one of two ways."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            self.cuts += 1
            if rng.random() < 0.5:
                for each in pair:
                    with contextlib.suppress(OSError):
                        linger = struct.pack("ii", 1, 0)
                        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._end(*pair)

    def close(self) -> None:
        """Accept no further connection and end all."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut(random.Random(0))


@contextmanager
def counting() -> Iterator[tuple[int, Counter[bytes]]]:
    """A server that counts the messages that reach it by their first bytes."""
    reached: Counter[bytes] = Counter()
    lock = threading.Lock()

    def echo(request: bytes, _context: Any) -> bytes:
        with lock:
            reached[request[:12]] += 1
        time.sleep(request[12] / 20_000)
        return request

    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server = grpc.server(ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port, reached
    server.stop(1).wait()


class Callers:
    """Greenlets that call until they are asked to stop, and note how each call ended."""

    def __init__(self, channels: list[Any], number: int) -> None:
        self._methods = [each.unary_unary(METHOD) for each in channels]
        self.ends: dict[bytes, str] = {}
        self.begun = 0
        self.wrong: list[str] = []
        self.stopped = False
        self._greenlets = [gevent.spawn(self._run, index) for index in range(number)]

    def _run(self, index: int) -> None:
        rng = random.Random(index)
        while not self.stopped:
            self.begun += 1
            size = rng.choice((0, 10, 1000, 100_000))
            name = b"%012d" % self.begun
            message = name + bytes([rng.randrange(100)]) + rng.randbytes(10) * (size // 10)
            seconds = rng.choice((0.001, 0.01, DEADLINE, DEADLINE, DEADLINE))
            method = rng.choice(self._methods)
            call = gevent.spawn(self._call, method, name, message, seconds)
            if rng.random() < 0.05:
                gevent.sleep(rng.random() / 200)
                call.kill()
                self.ends.setdefault(name, "killed")
            call.join()

    def _call(self, method: Any, name: bytes, message: bytes, seconds: float) -> None:
        began = time.monotonic()
        try:
            answer = method(message, timeout=seconds)
        except grpc.RpcError as error:
            untouched = getattr(error, "untouched", False)
            self._ended(name, "untouched" if untouched else error.code().name)
        else:
            if answer != message:
                self.wrong.append(f"{name!r} got {answer[:20]!r}")
            self._ended(name, "OK")
        if time.monotonic() - began > seconds + 10:
            self.wrong.append(f"{name!r} took {time.monotonic() - began:.1f} s of {seconds} s")

    def _ended(self, name: bytes, how: str) -> None:
        if name in self.ends:
            self.wrong.append(f"{name!r} ended twice")
        self.ends[name] = how

    def stop(self) -> None:
        """Wait until all have ended."""
        self.stopped = True
        gevent.joinall(self._greenlets, timeout=30, raise_error=True)


def soak(open_channel: Open, seconds: float, callers: int) -> None:
    """Call for so long, and hold what callers saw against what reached the server."""
    rng = random.Random(1)
    with counting() as (port, reached):
        relay = Relay(port)
        channels = [open_channel(relay.address) for _ in range(3)]
        made = Callers(channels, callers)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            gevent.sleep(rng.uniform(0.01, 0.3))
            relay.cut(rng)
        made.stop()
        # Without cuts every channel serves again.
        for channel in channels:
            eventually(lambda channel=channel: _answered(channel), within=10)
        relay.close()

    del reached[_AFTER]
    ends = Counter(made.ends.values())
    assert not made.wrong
    assert len(made.ends) == made.begun, "every call has ended, once"
    assert max(reached.values()) == 1, "no call was sent twice"
    assert not [name for name, how in made.ends.items() if how == "OK" and not reached[name]]
    assert not [name for name, how in made.ends.items() if how == "untouched" and reached[name]]
    assert set(ends) <= {"OK", "untouched", "UNAVAILABLE", "DEADLINE_EXCEEDED", "killed"}
    assert ends["OK"] > ends["UNAVAILABLE"] > 0
    assert relay.cuts > 3 * seconds
    for channel in channels:
        assert not channel.connector.ready or not channel.connector.ready.calls


def _answered(channel: Any) -> bool:
    try:
        channel.unary_unary(METHOD)(_AFTER + b"\0", timeout=DEADLINE)
    except grpc.RpcError:
        gevent.sleep(0.02)
        return False
    return True


def test_calls_over_connections_that_are_cut(channel: Open) -> None:
    soak(channel, 1.5, 12)


@pytest.mark.slow
def test_calls_over_connections_that_are_cut_for_long(channel: Open) -> None:
    soak(channel, 45, 24)

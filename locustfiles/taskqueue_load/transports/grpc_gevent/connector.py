"""Keeps a channel connected: makes its connection when it is needed, and again when it was lost."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import gevent
from gevent.event import Event
from gevent.hub import Hub

from .address import Address, connect, resolve, split
from .connection import Connection
from .keepalive import Keepalive
from .status import CLOSED, Code, Outcome, RpcError

_GROWTH, _JITTER = 1.6, 0.2


@dataclass(frozen=True)
class Pace:
    """How a server is looked for that cannot be reached; all in seconds.

    From the begin of one attempt to that of the next it is ``first`` and then ever longer, up to
    ``longest``. ``attempt`` is how long one may take, up to the server's greeting.
    """

    first: float = 0.05
    longest: float = 1.0
    attempt: float = 5.0


class Connector:
    """The connection of a channel to ``host:port``; ``ready`` is the one that takes calls.

    As in grpcio: with no connection the first call makes one and waits for it. If that cannot be
    made, calls fail at once while attempts go on; after a success the next loss begins anew.
    """

    def __init__(self, hub: Hub, target: str, pace: Pace, keepalive: Keepalive | None) -> None:
        self.ready: Connection | None = None
        self._hub = hub
        self._host, self._port = split(target)
        self._pace = pace
        self._keepalive = keepalive
        self._failure = ""
        self._changed = Event()
        self._retired: list[Connection] = []
        self._worker: gevent.Greenlet[[], None] | None = None
        self._closed = False

    def wait(self, ends_at: float | None, patient: bool) -> Connection:
        """Return a connection that takes calls, once there is one.

        Unless ``patient``, that none can be made is an error at once. Raises :class:`RpcError`.
        """
        while self.ready is None:
            if self._closed:
                raise RpcError(CLOSED)
            if self._failure and not patient:
                raise RpcError(Outcome(Code.UNAVAILABLE, self._failure, untouched=True))
            if self._worker is None:
                self._worker = gevent.spawn(self._work)
            left = None if ends_at is None else max(0.0, ends_at - time.monotonic())
            if not self._changed.wait(left):
                words = "the deadline passed before there was a connection"
                raise RpcError(Outcome(Code.DEADLINE_EXCEEDED, words, untouched=True))
        return self.ready

    def close(self) -> None:
        """End the connections, the calls on them and the attempts to make one."""
        self._closed = True
        if self._worker is not None:
            self._worker.kill(block=False)
        for each in (*self._retired, self.ready):
            if each is not None:
                each.close(CLOSED)
        self._tell()

    def _work(self) -> None:
        """Try until there is a connection."""
        pause = self._pace.first
        while True:
            began = time.monotonic()
            try:
                made = self._attempt(began + self._pace.attempt)
            except OSError as error:
                self._failure = f"no connection to {self._host}:{self._port}: {error}"
                self._tell()
                rest = pause * random.uniform(1 - _JITTER, 1 + _JITTER)
                gevent.sleep(max(0.0, began + rest - time.monotonic()))
                pause = min(pause * _GROWTH, self._pace.longest)
                continue
            self._failure, self._worker = "", None
            self.ready = made if made.usable else None
            self._tell()
            return

    def _attempt(self, ends_at: float) -> Connection:
        """Make a connection. Raises ``OSError``."""
        addresses = resolve(self._host, self._port)
        for number, address in enumerate(addresses):
            left = ends_at - time.monotonic()
            try:
                return self._greeted(address, left / (len(addresses) - number))
            except OSError:
                if number == len(addresses) - 1:
                    raise
        raise OSError("the name has no address")

    def _greeted(self, address: Address, seconds: float) -> Connection:
        ends_at = time.monotonic() + seconds
        made = Connection(self._hub, connect(address, seconds), self._on_retired)
        try:
            if not made.settled.wait(max(0.0, ends_at - time.monotonic())):
                raise TimeoutError("the server does not greet")
            if made.lost:
                raise OSError(made.lost)
        except BaseException:
            made.close(CLOSED)
            raise
        if self._keepalive is not None:
            made.keep_alive(self._keepalive)
        return made

    def _on_retired(self, connection: Connection) -> None:
        self._retired = [each for each in self._retired if not each.closed]
        self._retired.append(connection)
        if self.ready is connection:
            self.ready = None

    def _tell(self) -> None:
        """Wake who waits; every change has an event of its own."""
        changed, self._changed = self._changed, Event()
        changed.set()

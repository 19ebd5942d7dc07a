"""Pings that find out that a server has vanished without a word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gevent.hub import Hub


@dataclass(frozen=True)
class Keepalive:
    """After ``every`` seconds without a word a ping; ``patience`` seconds after it the end.

    A server may end the connection of a client that pings it more often than it allows.
    """

    every: float
    patience: float


class Watch:
    """Watches one connection: asks ``ping`` for a sign of life, and calls ``give_up`` without."""

    def __init__(
        self, hub: Hub, keepalive: Keepalive, ping: Callable[[], None], give_up: Callable[[], None]
    ) -> None:
        self._loop = hub.loop
        self._timer = self._loop.timer(0.0)
        self._keepalive = keepalive
        self._ping = ping
        self._give_up = give_up
        self._received = False
        self._wait(keepalive.every, self._quiet)

    def received(self) -> None:
        """Note that something has arrived."""
        self._received = True

    def stop(self) -> None:
        """Watch no longer."""
        self._timer.close()

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._timer.close()
        self._timer = self._loop.timer(seconds)
        self._timer.start(then, update=True)

    def _quiet(self) -> None:
        if self._received:
            self._received = False
            self._wait(self._keepalive.every, self._quiet)
            return
        self._ping()
        self._wait(self._keepalive.patience, self._unanswered)

    def _unanswered(self) -> None:
        if not self._received:
            self._give_up()
            return
        self._received = False
        self._wait(self._keepalive.every, self._quiet)

"""The open loop of one process: begins calls when they are due, whatever has been answered.

The times are fixed before the test (:mod:`taskqueue_load.schedule`) and counted from one moment
that all processes share, so a late call makes no later one late. A call that is begun late carries
the time at which it was due, and the wait since then is part of its response time.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Protocol

import gevent
from gevent.pool import Group
from locust.exception import StopUser

from taskqueue_load.alarm import Alarm
from taskqueue_load.recorder import Recorder

# When the call that a greenlet is about to make was due, on the clock ``perf_counter``.
DUE: ContextVar[float | None] = ContextVar("due", default=None)

logger = logging.getLogger(__name__)


class Source(Protocol):
    """Who makes the calls: a user, of whom several calls may be in flight."""

    def next_operation(self) -> None:
        """Make the next call."""

    def failed(self, error: Exception) -> None:
        """Report a defect of the user's own code to Locust."""


class Arrivals:
    """Deals the calls that are due to the sources of this process in turn.

    ``due_times`` are in seconds since ``start_unix``. A call that is due while ``limit`` are in
    flight is dropped, and counted. ``make_source`` makes one that is used while there is no other,
    so that the rate holds however many users there are.
    """

    def __init__(
        self,
        due_times: Iterable[float],
        limit: int,
        recorder: Recorder,
        make_source: Callable[[], Source],
    ) -> None:
        self._due_times = due_times
        self._limit = limit
        self._recorder = recorder
        self._make_source = make_source
        self._sources: deque[Source] = deque()
        self._substitute: Source | None = None
        self._calls = Group()
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def start(self, start_unix: float) -> None:
        """Begin; the first call may be due at ``start_unix``."""
        self._greenlet = gevent.spawn(self._run, start_unix)

    def add(self, source: Source) -> None:
        """Let a source take its turns."""
        if source not in self._sources:
            self._sources.append(source)

    def remove(self, source: Source) -> None:
        """Give a source no further turn; its calls in flight go on."""
        if source in self._sources:
            self._sources.remove(source)

    def stop(self) -> None:
        """Begin no further call."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def wait(self, seconds: float) -> None:
        """Wait for the calls in flight; end those that take longer."""
        self._calls.join(seconds)
        self._calls.kill()

    def _run(self, start_unix: float) -> None:
        start = time.perf_counter() + (start_unix - time.time())
        with Alarm() as alarm:
            for seconds in self._due_times:
                # Even a late call lets others run first, or answers would wait for the arrivals.
                alarm.until(start + seconds)
                self._begin(start + seconds, start_unix + seconds)

    def _begin(self, due: float, due_unix: float) -> None:
        full = len(self._calls) >= self._limit
        self._recorder.due(due_unix, dropped=full)
        if not full:
            self._calls.spawn(self._call, self._next_source(), due)

    def _next_source(self) -> Source:
        if self._sources:
            self._sources.rotate(-1)
            return self._sources[-1]
        if self._substitute is None:
            self._substitute = self._make_source()
        return self._substitute

    def _call(self, source: Source, due: float) -> None:
        DUE.set(due)
        try:
            while not self._made(source):
                source = self._next_source()
        except Exception as error:
            logger.exception("a user's operation failed")
            source.failed(error)

    def _made(self, source: Source) -> bool:
        """Have the source make the call; ``False`` if it has stopped and another one has to."""
        try:
            source.next_operation()
        except StopUser:
            if source not in self._sources:
                return True
            self.remove(source)
            return DUE.get() is None
        return True

"""Counts the calls of one process while a test runs."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import gevent

from taskqueue_load.names import EXPECTED
from taskqueue_load.outcome import CallError
from taskqueue_load.tally import Part

OnBroken = Callable[[OSError], None]
SERVICE, DELAY, RESPONSE = "service", "delay", "response"
# Seconds that a part keeps back, for what is counted a little late.
_SETTLED = 2


def ignored(_error: OSError) -> None:
    """Do nothing about an error."""


def _own_file() -> str:
    """Name the file of this process. In containers every process has the same id."""
    return f"accepted-{socket.gethostname()}-{os.getpid()}.txt"


class Recorder:
    """Counts between :meth:`start` and :meth:`close` what the clients of this process do.

    With a ``folder``, the ids of accepted jobs are written, one a line. Times are counted too with
    a ``folder`` or ``timing``. ``is_open`` is whether calls have intended times, and so delays.
    ``on_broken`` gets the error if the ids cannot be written, as on a full disk; then no more are.
    """

    def __init__(
        self,
        folder: Path | None,
        is_open: bool,
        timing: bool = False,
        on_broken: OnBroken = ignored,
    ) -> None:
        self._open = is_open
        self._part = Part()
        self._in_flight = 0
        self._timing = timing or folder is not None
        self._on_broken = on_broken
        self._file: IO[str] | None = None
        self._ticker: gevent.Greenlet[..., None] | None = None
        self._cpu = (time.time(), time.process_time())
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / _own_file()).open("w", encoding="utf-8")

    def start(self, sink: Callable[[Part], None] | None = None) -> None:
        """Begin to count CPU time, and to give a part to ``sink`` every second, if there is one."""
        self._cpu = (time.time(), time.process_time())
        self._ticker = gevent.spawn(self._tick, sink)

    def due(self, unix: float, dropped: bool = False) -> None:
        """Count a call that the schedule asks for; ``dropped`` if it will not be made."""
        row = self._part.rows[int(unix)]
        row.due += 1
        row.dropped += dropped

    def began(self, unix: float, unplanned: bool) -> None:
        """Count a call that is being sent; ``unplanned`` if no schedule asked for it."""
        row = self._part.rows[int(unix)]
        row.due += unplanned
        row.sent += 1
        self._in_flight += 1
        row.in_flight_max = max(row.in_flight_max, self._in_flight)

    def answered(self, name: str, unix: float, service: float, delay: float) -> None:
        """Count a call that was answered at ``unix``; the times are in seconds."""
        second = int(unix)
        row = self._part.rows[second]
        self._in_flight -= 1
        if name in EXPECTED:
            row.expected += 1
        else:
            row.answered += 1
        if not self._timing:
            return
        self._part.time(second, f"{name}|{SERVICE}", service)
        if self._open:
            self._part.time(second, f"{name}|{DELAY}", delay)
            self._part.time(second, f"{name}|{RESPONSE}", delay + service)

    def failed(self, name: str, unix: float, error: CallError) -> None:
        """Count a call that failed at ``unix``."""
        row = self._part.rows[int(unix)]
        self._in_flight -= 1
        if error.definite:
            row.definite += 1
        else:
            row.indefinite += 1
        self._part.error_kinds[name][error.kind] += 1

    def cut_off(self) -> None:
        """Forget a call that its user did not live to see the end of."""
        self._in_flight -= 1

    def accepted(self, job_id: str) -> None:
        """Note a job that was accepted."""
        self._part.accepted += 1
        if self._file is not None:
            try:
                self._file.write(f"{job_id}\n")
            except OSError as error:
                self._give_up(self._file, error)

    def take(self) -> Part:
        """Return what was counted since the last time, but for the seconds that are still open."""
        return self._part.before(int(time.time()) - _SETTLED)

    def close(self) -> Part:
        """Stop counting, write the last accepted ids out and return what was not yet taken."""
        if self._ticker is not None:
            self._ticker.kill(block=False)
        self._count_cpu()
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._on_broken(error)
        return self._part

    def _give_up(self, file: IO[str], error: OSError) -> None:
        """Write no more ids. What has not been written stays unwritten, also as the file closes."""
        self._file = None
        with suppress(OSError):
            file.close()
        self._on_broken(error)

    def _tick(self, sink: Callable[[Part], None] | None) -> None:
        while True:
            gevent.sleep(1 - time.time() % 1)
            self._count_cpu()
            row = self._part.rows[int(time.time())]
            row.in_flight_max = max(row.in_flight_max, self._in_flight)
            if sink is not None:
                sink(self.take())

    def _count_cpu(self) -> None:
        """Share the CPU time since the last count out over the seconds since then."""
        (since, before), (now, used) = self._cpu, (time.time(), time.process_time())
        if now <= since:
            return
        self._cpu = (now, used)
        for second in range(int(since), int(now) + 1):
            part = min(now, second + 1) - max(since, second)
            self._part.rows[second].generator_cpu += (used - before) * part / (now - since)

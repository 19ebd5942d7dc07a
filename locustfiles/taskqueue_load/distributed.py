"""How the processes of a distributed test hand their parts of the record to the master.

Locust's master waits half a second for the last figures of its workers and drops what comes later,
for instance from a worker that still waits for a slow call. So each worker sends one message when
its users have ended, and the master waits for all of them, within a bound, before it goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from gevent.event import Event
from locust.rpc import Message
from locust.runners import STATE_CLEANUP, MasterRunner, WorkerRunner

STARTED = "taskqueue_load_started"
STOP = "taskqueue_load_stop"
REPORT = "taskqueue_load_report"
# Beyond --stop-timeout, after which a worker has ended its users in any case.
REPORT_WAIT = 10.0

logger = logging.getLogger(__name__)

Part = dict[str, Any]


class MasterSide:
    """Collects the parts of the workers that take part in a test. Tests are told by number."""

    def __init__(self, runner: MasterRunner) -> None:
        self._runner = runner
        self._number = 0
        self._started: set[str] = set()
        self._reports: dict[str, Part | None] = {}
        self._changed = Event()
        runner.register_message(STARTED, self._on_started)
        runner.register_message(REPORT, self._on_report)

    def begin(self, number: int) -> None:
        """Expect parts of test ``number``, and no longer those of an earlier one."""
        self._number = number
        self._started.clear()
        self._reports.clear()

    def collect(self, stop_timeout: float) -> tuple[list[Part], list[str]]:
        """Have every worker end the test; return their parts, and who has not answered in time."""
        clients = self._runner.clients
        self._started.update(each.id for each in clients.running + clients.spawning)
        for worker in self._missing():
            self._runner.send_message(STOP, client_id=worker)
        end = time.monotonic() + stop_timeout + REPORT_WAIT
        while self._missing() and time.monotonic() < end:
            self._changed.clear()
            self._changed.wait(end - time.monotonic())
        parts = [part for part in self._reports.values() if part is not None]
        return parts, self._missing()

    def _missing(self) -> list[str]:
        return sorted(self._started - self._reports.keys())

    def _on_started(self, msg: Message, **_: Any) -> None:
        if msg.data["number"] == self._number:
            self._started.add(msg.node_id)

    def _on_report(self, msg: Message, **_: Any) -> None:
        if msg.data["number"] == self._number:
            self._reports[msg.node_id] = msg.data["part"]
            self._changed.set()


class WorkerSide:
    """Tells the master when a test begins and ends in this worker."""

    def __init__(self, runner: WorkerRunner, is_running: Callable[[], bool]) -> None:
        self._runner = runner
        self._is_running = is_running
        # Concurrently, for it waits for users while the worker has to go on listening.
        runner.register_message(STOP, self._on_stop, concurrent=True)

    def started(self, number: int) -> None:
        """Say that this worker takes part."""
        self._runner.send_message(STARTED, {"number": number})

    def ended(self, number: int, part: Part | None) -> None:
        """Say that the users have ended, with what was recorded, if anything was."""
        self._runner.send_message(REPORT, {"number": number, "part": part})

    def stop(self) -> None:
        """End the test in this worker, unless that has begun or is done."""
        if self._is_running() and self._runner.state != STATE_CLEANUP:
            self._runner.stop()

    def _on_stop(self, **_: Any) -> None:
        self.stop()

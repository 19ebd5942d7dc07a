"""How the processes of a distributed test hand what they have counted to the master.

A worker sends what it has counted every second, and the rest when its users have ended. Locust's
master waits half a second for the last figures of its workers and drops what comes later, for
instance from a worker that still waits for a slow call. So the master waits here for the last
message of every worker, within a bound, before it goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from gevent.event import Event
from locust.rpc import Message
from locust.runners import STATE_CLEANUP, MasterRunner, WorkerRunner

from taskqueue_load.schedule import Share
from taskqueue_load.tally import Part

STARTED = "taskqueue_load_started"
STOP = "taskqueue_load_stop"
COUNTED = "taskqueue_load_counted"
REPORT = "taskqueue_load_report"
BROKEN = "taskqueue_load_broken"
# Beyond --stop-timeout, after which a worker has ended its users in any case.
REPORT_WAIT = 10.0

logger = logging.getLogger(__name__)


class MasterSide:
    """Collects the parts of the workers that take part in a test. Tests are known by number."""

    def __init__(
        self,
        runner: MasterRunner,
        on_part: Callable[[Part], None],
        on_broken: Callable[[OSError], None],
    ) -> None:
        self._runner = runner
        self._on_part = on_part
        self._on_broken = on_broken
        self._number = 0
        self._started: set[str] = set()
        self._reported: set[str] = set()
        self._changed = Event()
        runner.register_message(STARTED, self._on_started)
        runner.register_message(COUNTED, self._on_counted)
        runner.register_message(REPORT, self._on_report)
        runner.register_message(BROKEN, self._on_worker_broken)

    def begin(self, number: int) -> None:
        """Expect parts of test ``number``, and no longer those of an earlier one."""
        self._number = number
        self._started.clear()
        self._reported.clear()

    def workers(self) -> list[str]:
        """Return who is there to take part, in an order that stays."""
        clients = self._runner.clients
        found = [each.id for each in clients.ready + clients.running + clients.spawning]
        return sorted(found, key=self._runner.get_worker_index)

    def collect(self, stop_timeout: float) -> list[str]:
        """Have every worker end the test and report; return who has not reported in time."""
        clients = self._runner.clients
        self._started.update(each.id for each in clients.running + clients.spawning)
        missing = self._missing()
        for worker in missing:
            self._runner.send_message(STOP, client_id=worker)
        if missing:
            logger.info("waiting for the final reports of %d workers", len(missing))
        end = time.monotonic() + stop_timeout + REPORT_WAIT
        while self._missing() and time.monotonic() < end:
            self._changed.clear()
            self._changed.wait(end - time.monotonic())
        return self._missing()

    def _missing(self) -> list[str]:
        return sorted(self._started - self._reported)

    def _on_started(self, msg: Message, **_: Any) -> None:
        if msg.data["number"] == self._number:
            self._started.add(msg.node_id)

    def _on_worker_broken(self, msg: Message, **_: Any) -> None:
        if msg.data["number"] == self._number:
            self._on_broken(OSError(f"{msg.data['error']} (worker {msg.node_id})"))

    def _on_counted(self, msg: Message, **_: Any) -> None:
        if msg.data["number"] == self._number:
            self._on_part(Part.from_data(msg.data["part"]))

    def _on_report(self, msg: Message, **_: Any) -> None:
        if msg.data["number"] == self._number:
            self._on_part(Part.from_data(msg.data["part"]))
            self._reported.add(msg.node_id)
            self._changed.set()


class WorkerSide:
    """Reports to the master when a test begins and ends in this worker, and what it counts."""

    def __init__(self, runner: WorkerRunner, is_running: Callable[[], bool]) -> None:
        self._runner = runner
        self._is_running = is_running
        self._has_ended = Event()
        # Concurrently, for it waits for users while the worker has to go on listening.
        runner.register_message(STOP, self._on_stop, concurrent=True)

    def share(self, workers: list[str], is_open: bool) -> Share | None:
        """Return this worker's share among ``workers``.

        One that came too late to be among them has none of an open loop, which the others send
        wholly; of a closed loop it takes over users.
        """
        if self._runner.client_id in workers:
            return Share(workers.index(self._runner.client_id), len(workers))
        if is_open:
            logger.warning("this worker came after the start, and sends nothing in an open loop")
            return None
        index = self._runner.worker_index
        return Share(index, max(index + 1, len(workers)))

    def started(self, number: int) -> None:
        """Report that this worker takes part."""
        self._has_ended.clear()
        self._runner.send_message(STARTED, {"number": number})

    def counted(self, number: int, part: Part) -> None:
        """Hand over what was counted meanwhile."""
        self._runner.send_message(COUNTED, {"number": number, "part": part.to_data()})

    def broken(self, number: int, error: OSError) -> None:
        """Report that this worker cannot write what it has to."""
        self._runner.send_message(BROKEN, {"number": number, "error": str(error)})

    def ended(self, number: int, part: Part) -> None:
        """Report that the users have ended, with the rest of what was counted."""
        self._runner.send_message(REPORT, {"number": number, "part": part.to_data()})
        self._has_ended.set()

    def stop(self) -> None:
        """End the test in this worker and return once it has reported.

        Where that has begun elsewhere, as when the master's order and a Ctrl-C come together, wait
        for it: a worker that quits meanwhile would have its report refused.
        """
        if not self._is_running():
            return
        if self._runner.state == STATE_CLEANUP:
            self._has_ended.wait(self._runner.environment.stop_timeout + REPORT_WAIT)
        else:
            self._runner.stop()

    def _on_stop(self, **_: Any) -> None:
        self.stop()

"""Records the calls of one process while a test runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import gevent

from taskqueue_load.client import SUBMIT
from taskqueue_load.record import NAMES, CallRecord


class Recorder:
    """Listens to ``request`` between :meth:`start` and :meth:`close`.

    Calls count if they end in the measured window: from ``warmup`` seconds after the start until
    :meth:`end_window`. Ids of accepted jobs are written from the start to the close, one a line.
    """

    def __init__(self, folder: Path, warmup: float) -> None:
        self._calls = {name: CallRecord() for name in NAMES}
        self._warmup = warmup
        self._measuring = False
        self._accepted = 0
        self._from_unix: float | None = None
        self._to_unix: float | None = None
        self._cpu_seconds = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"accepted-{os.getpid()}.txt").open("w", encoding="utf-8")

    def start(self) -> None:
        """Begin the warm-up."""
        if self._warmup:
            self._timer = gevent.spawn_later(self._warmup, self._begin_window)
        else:
            self._begin_window()

    def on_request(
        self,
        name: str,
        response_time: float,
        response: Any = None,
        exception: BaseException | None = None,
        **_: Any,
    ) -> None:
        """Count a call. Its cost is part of every call's, so there is nothing here but counting."""
        if name == SUBMIT and exception is None and response is not None:
            self._accepted += 1
            self._file.write(f"{response.job_id}\n")
        if not self._measuring:
            return
        record = self._calls.get(name)
        if record is None:
            record = self._calls[name] = CallRecord()
        if exception is None:
            record.answered(response_time)
        else:
            record.failed(exception)

    def end_window(self) -> None:
        """Count no further calls; what ends later was cut short by the end of the test."""
        if not self._measuring:
            return
        self._measuring = False
        self._to_unix = time.time()
        self._cpu_seconds = time.process_time() - self._cpu_seconds

    def close(self) -> None:
        """Write the last accepted ids out."""
        self.end_window()
        if self._warmup:
            self._timer.kill(block=False)
        self._file.close()

    def part(self) -> dict[str, Any]:
        """Return what was recorded as plain data; the window is ``None`` if it never began."""
        return {
            "from_unix": self._from_unix,
            "to_unix": self._to_unix,
            "cpu_seconds": self._cpu_seconds if self._to_unix else 0.0,
            "accepted": self._accepted,
            "calls": {name: record.to_data(name) for name, record in self._calls.items()},
        }

    def _begin_window(self) -> None:
        self._cpu_seconds = time.process_time()
        self._from_unix = time.time()
        self._measuring = True

"""Samples what processes use, CPU time and memory above all, while a drive goes on."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from testbed.record.files import ResourceLog
from testbed.record.model import ResourceRow
from testbed.stack.runtimes import Meter, Usage


@dataclass(frozen=True)
class _Watch:
    """A meter with the role of its processes; readings are taken one at a time."""

    role: str
    meter: Meter
    lock: threading.Lock = field(default_factory=threading.Lock)


class Sampler:
    """Appends a row per process to ``resources.csv``, as often as the meter of each role asks for.

    Each meter is read in a thread of its own, so that a slow one holds up no other. A context
    manager: leaving it finishes, and raises what went wrong in the threads.
    """

    def __init__(self, folder: Path) -> None:
        self._log = ResourceLog(folder)
        self._watches: list[_Watch] = []
        self._threads: list[threading.Thread] = []
        self._exited: dict[tuple[str, str], None] = {}
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._errors: list[BaseException] = []

    def watch(self, role: str, meter: Meter) -> None:
        """Sample the processes of this meter from now on. The sampler has been entered."""
        watch = _Watch(role, meter)
        thread = threading.Thread(target=self._run, args=(watch,), name=f"meter of {role}")
        thread.daemon = True
        self._watches.append(watch)
        self._threads.append(thread)
        thread.start()

    def exited(self, role: str) -> tuple[str, ...]:
        """Return the names of the processes of a role that have ended."""
        with self._writing:
            return tuple(name for each, name in self._exited if each == role)

    def sample(self) -> None:
        """Take one sample of everything now."""
        for watch in self._watches:
            self._sample(watch)

    def finish(self) -> None:
        """Take a last sample, unless it has been taken: no other follows."""
        if self._stop.is_set():
            return
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if not self._errors:
            self.sample()

    def __enter__(self) -> Self:
        self._log.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.finish()
        finally:
            self._log.__exit__(None, None, None)
        if self._errors:
            raise self._errors[0]

    def _run(self, watch: _Watch) -> None:
        try:
            while not self._stop.wait(_until_next(watch.meter.interval)):
                self._sample(watch)
        except BaseException as error:  # the thread that drives raises it
            self._errors.append(error)

    def _sample(self, watch: _Watch) -> None:
        with watch.lock:
            before = time.time()
            found = watch.meter.read()
            # A reading takes a while, and its figures are from somewhere in it.
            unix = (before + time.time()) / 2
        with self._writing:
            self._exited |= {(watch.role, name): None for name, use in found.items() if use is None}
            self._log.append(
                _row(unix, watch.role, name, use) for name, use in found.items() if use is not None
            )


def _until_next(interval: float) -> float:
    """Return the seconds to the next multiple of the interval, so that meters read together."""
    return interval - time.monotonic() % interval


def _row(unix: float, role: str, name: str, use: Usage) -> ResourceRow:
    return ResourceRow(
        unix,
        role,
        name,
        use.cpu_seconds,
        use.memory_bytes,
        use.throttled_seconds,
        use.periods,
        use.throttled_periods,
    )

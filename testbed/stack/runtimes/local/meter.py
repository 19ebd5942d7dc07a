"""Reads CPU time and memory of processes of this machine, each with its whole family."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Self

import psutil

from testbed.errors import StateError
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Usage
from testbed.stack.runtimes.local.family import Census

INTERVAL = 0.25
_MOMENT = 0.02


class ProcessMeter:
    """The meter of plain processes; ``None`` stands for an ended one."""

    def __init__(
        self, processes: Mapping[str, psutil.Process | None], interval: float = INTERVAL
    ) -> None:
        self._processes = dict(processes)
        self._interval = interval

    @classmethod
    def of_pids(cls, pids: Mapping[str, int]) -> Self:
        """Make the meter of processes that run now under these ids."""
        return cls({name: _found(pid) for name, pid in pids.items()})

    @property
    def interval(self) -> float:
        return self._interval

    def read(self) -> Mapping[str, Usage | None]:
        census = _PASSES.latest()
        return {
            name: use_of(process, census) if process else None
            for name, process in self._processes.items()
        }


class StackMeter(ProcessMeter):
    """Reads a stack, the proxy of its links left out, and goes on with what is started again.

    What a process used before it ended is known as of the last reading, and counts.
    """

    def __init__(self, record: StackRecord, interval: float = INTERVAL) -> None:
        super().__init__({each.name: each.process() for each in record.measured}, interval)
        self._record = record
        self._pids = {each.name: each.pid for each in record.measured}
        self._latest: dict[str, float] = {}
        self._before: dict[str, float] = defaultdict(float)

    def read(self) -> Mapping[str, Usage | None]:
        """Return the use of each process by its name, ``None`` while it is not running."""
        found = dict(super().read())
        if not all(found.values()) and self._find_again(found):
            found = dict(super().read())
        for name, use in found.items():
            if use is not None:
                self._latest[name] = use.cpu_seconds
                cpu = use.cpu_seconds + self._before[name]
                found[name] = Usage(cpu, use.memory_bytes)
        return found

    def _find_again(self, found: Mapping[str, Usage | None]) -> bool:
        """Take over the ended processes that were started again; say whether there was one."""
        try:
            now = stacks.load(self._record.design)
        except StateError:
            return False
        if now is None or now.started != self._record.started:
            return False
        again = [
            each
            for each in now.measured
            if found.get(each.name) is None and each.pid != self._pids.get(each.name)
        ]
        for each in again:
            self._pids[each.name] = each.pid
            self._processes[each.name] = each.process()
            self._before[each.name] += self._latest.pop(each.name, 0.0)
        return bool(again)


class _Passes:
    """One pass over all processes of the machine for all meters that read at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at = -math.inf
        self._census: Census | None = None

    def latest(self) -> Census:
        """Return the processes as they were a moment ago at most."""
        with self._lock:
            if self._census is None or time.monotonic() - self._at > _MOMENT:
                self._census = Census()
                self._at = time.monotonic()
            return self._census


_PASSES = _Passes()


def _found(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def use_of(root: psutil.Process, census: Census) -> Usage | None:
    """Return what a process and its family have used, ``None`` if it has ended itself.

    What one of them has used that ended is known to who started it. Memory that they share, the
    pages of files and shared segments, is counted once, as large as the one has it that has most.
    """
    if not _runs(root):
        return None
    found = [use for each in census.family(root) if (use := _use(each))]
    cpu, own, shared = zip(*found, strict=True) if found else ((), (), (0,))
    return Usage(sum(cpu), sum(own) + max(shared)) if found else None


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _use(process: psutil.Process) -> tuple[float, int, int] | None:
    """Return CPU seconds, those of ended children included, and bytes: its own, and shared ones."""
    try:
        times, memory = process.cpu_times(), process.memory_info()
    except psutil.NoSuchProcess:
        return None
    # Not every system says what is shared.
    shared = getattr(memory, "shared", 0)
    cpu = times.user + times.system + times.children_user + times.children_system
    return cpu, memory.rss - shared, shared

"""Samples CPU seconds and resident memory of processes while a drive goes on."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from testbed.recording.files import ResourceLog
from testbed.recording.model import ResourceRow

INTERVAL = 0.25


class Sampler:
    """A thread that appends a row per watched process to ``resources.csv`` every 0.25 seconds.

    A process counts with all its descendants, ended ones included. A context manager: leaving it
    takes a last sample, stops the thread and raises what went wrong in it.
    """

    def __init__(self, folder: Path, interval: float = INTERVAL) -> None:
        self._log = ResourceLog(folder)
        self._interval = interval
        self._watched: dict[tuple[str, str], psutil.Process] = {}
        self._gone: dict[tuple[str, str], None] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def watch(self, role: str, name: str, pid: int) -> None:
        """Sample this process from now on; one that has ended already counts as gone."""
        try:
            process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            self._gone[role, name] = None
            return
        with self._lock:
            self._watched[role, name] = process

    def gone(self, role: str) -> tuple[str, ...]:
        """Return the names of the watched processes of a role that have ended."""
        return tuple(name for each, name in self._gone if each == role)

    def sample(self) -> None:
        """Take one sample now."""
        with self._lock:
            self._log.append(self._rows(time.time(), children_by_parent()))

    def __enter__(self) -> Self:
        self._log.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        try:
            if self._error is None:
                self.sample()
        finally:
            self._log.__exit__(None, None, None)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._interval):
                self.sample()
        except BaseException as error:  # the thread that drives raises it
            self._error = error

    def _rows(
        self, unix: float, children: Mapping[int, Sequence[psutil.Process]]
    ) -> Iterator[ResourceRow]:
        for (role, name), process in self._watched.items():
            usage = _usage_of_tree(process, children)
            if usage is None:
                self._gone[role, name] = None
            else:
                yield ResourceRow(unix, role, name, *usage)


def children_by_parent() -> dict[int, list[psutil.Process]]:
    """Return the living processes by the id of their parent: one pass for all trees."""
    children: dict[int, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter(["ppid"]):
        children[process.info["ppid"]].append(process)
    return children


def _usage_of_tree(
    root: psutil.Process, children: Mapping[int, Sequence[psutil.Process]]
) -> tuple[float, int] | None:
    """Return CPU seconds and resident bytes of a tree, ``None`` if its root has ended."""
    usage = _usage(root) if _runs(root) else None
    if usage is None:
        return None
    cpu, rss = usage
    todo = list(children.get(root.pid, ()))
    while todo:
        process = todo.pop()
        todo.extend(children.get(process.pid, ()))
        cpu_more, rss_more = _usage(process) or (0.0, 0)
        cpu, rss = cpu + cpu_more, rss + rss_more
    return cpu, rss


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _usage(process: psutil.Process) -> tuple[float, int] | None:
    try:
        times = process.cpu_times()
        return (
            times.user + times.system + times.children_user + times.children_system,
            process.memory_info().rss,
        )
    except psutil.NoSuchProcess:
        return None

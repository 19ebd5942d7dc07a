"""Reads what the containers of a stack use, one reading of all of them at a time."""

from __future__ import annotations

from collections.abc import Mapping

from docker.models.containers import Container

from testbed.stack.runtimes import Usage
from testbed.stack.runtimes.compose import usage

# A reading costs the engine several milliseconds of CPU for each container.
INTERVAL = 1.0


class ContainerMeter:
    """The :class:`testbed.stack.runtimes.Meter` of containers, by the names of their processes.

    The account of a container begins anew when it is started again. What it used before is known as
    of the last reading, and counts.
    """

    def __init__(self, found: Mapping[str, Container], interval: float = INTERVAL) -> None:
        self._found = dict(found)
        self._interval = interval
        self._latest: dict[str, Usage] = {}
        self._before: dict[str, Usage] = {}

    @property
    def interval(self) -> float:
        return self._interval

    def read(self) -> Mapping[str, Usage | None]:
        used = usage.read(self._found)
        return {name: self._total(name, used.get(name)) for name in self._found}

    def _total(self, name: str, use: Usage | None) -> Usage | None:
        latest = self._latest.get(name)
        if latest is not None and (use is None or use.cpu_seconds < latest.cpu_seconds):
            before = self._before.get(name)
            self._before[name] = latest if before is None else usage.together(before, latest)
            del self._latest[name]
        if use is None:
            return None
        self._latest[name] = use
        before = self._before.get(name)
        return use if before is None else usage.together(before, use)

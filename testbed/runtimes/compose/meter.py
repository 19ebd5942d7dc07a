"""Reads what the containers of a stack use, one look at all of them at a time."""

from __future__ import annotations

from collections.abc import Mapping

from docker.models.containers import Container

from testbed.runtimes import Usage
from testbed.runtimes.compose import usage

# A look costs the engine several milliseconds of CPU for each container.
INTERVAL = 1.0


class ContainerMeter:
    """The :class:`testbed.runtimes.Meter` of containers, by the names of their processes."""

    def __init__(self, found: Mapping[str, Container], interval: float = INTERVAL) -> None:
        self._found = dict(found)
        self._interval = interval

    @property
    def interval(self) -> float:
        """Seconds from one reading to the next."""
        return self._interval

    def read(self) -> Mapping[str, Usage | None]:
        """Return the use of each process by its name, ``None`` for one that has ended."""
        used = usage.read(self._found)
        return {name: used.get(name) for name in self._found}

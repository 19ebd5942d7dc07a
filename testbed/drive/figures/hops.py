"""What was said to whom: the calls between processes in a window, counted by those who answered.

A hop is one method of a peer, called by one role. Counts depend on no clock and on no other work of
the machine, so they are the same wherever a stack runs. Health checks and scrapes are no hops.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from common.rpc.callers import CLIENT
from common.topology import role_of
from testbed.record.calls import Window
from testbed.record.series import MetricSeries

CALLS = "taskqueue_handling_seconds_count"
RECEIVED = "taskqueue_received_bytes_total"
SENT = "taskqueue_sent_bytes_total"
ENTRIES = "taskqueue_sent_entries_total"
UNKNOWN = "unknown"


class Way(NamedTuple):
    """Who calls which method of whom. ``caller`` and ``peer`` are roles, as ``gateway``."""

    caller: str
    peer: str
    method: str

    @property
    def is_internal(self) -> bool:
        """Whether it is a call between processes of the stack, and not one by a client."""
        return self.caller != CLIENT

    def __str__(self) -> str:
        """Write it for a reader."""
        return f"{self.caller} → {self.peer} {self.method}"


@dataclass(frozen=True)
class Hop:
    """The calls of one way: a number of a window, or of a job.

    ``bytes`` are those of requests and answers, ``entries`` the jobs or executions that calls of
    many entries carried. Both are ``None`` where the processes do not count them, as those of
    earlier revisions: that is not known to be zero.
    """

    way: Way
    calls: float
    bytes: float | None = None
    entries: float | None = None

    @property
    def entries_per_call(self) -> float | None:
        """How many entries a call carried on average."""
        return self.entries / self.calls if self.entries is not None and self.calls else None

    def per(self, count: float) -> Hop:
        """Return it per one of ``count`` things, which is above 0."""
        size, entries = _over(self.bytes, count), _over(self.entries, count)
        return Hop(self.way, self.calls / count, size, entries)


@dataclass(frozen=True)
class Internal:
    """All calls between processes of a stack. ``bytes`` is ``None`` if any hop has none."""

    calls: float
    bytes: float | None


def hops(metrics: MetricSeries, window: Window) -> tuple[Hop, ...]:
    """Return every hop that was called in the window, those of clients first; sorted by name."""
    ways: dict[Way, str] = {}
    for process, labels in _labelled(metrics, CALLS):
        way = Way(labels["caller"] or UNKNOWN, role_of(process), labels["grpc_method"])
        ways[way] = labels["grpc_service"]
    found = [_hop(metrics, way, ways[way], window) for way in sorted(ways, key=place)]
    return tuple(each for each in found if each.calls > 0)


def internal(found: Iterable[Hop]) -> Internal:
    """Add up the calls between processes."""
    inner = [each for each in found if each.way.is_internal]
    sizes = [each.bytes for each in inner]
    known = [each for each in sizes if each is not None]
    return Internal(
        sum(each.calls for each in inner), sum(known) if len(known) == len(sizes) else None
    )


def counted(metrics: MetricSeries) -> bool:
    """Whether any process counts its calls at all."""
    return bool(metrics.label_sets(None, CALLS))


def per_job(
    metrics: MetricSeries, window: Window, finished_in: Callable[[Window], int]
) -> tuple[Hop, ...] | None:
    """Return every hop for each job that finished; ``None`` without jobs or counts.

    ``finished_in`` counts the jobs that finished in a window. Both are counted between the scrapes
    that enclose ``window``: in between, a counter is a guess, which jobs are not.
    """
    around = enclosing(metrics, window)
    finished = finished_in(around)
    if not finished or not counted(metrics):
        return None
    return tuple(each.per(finished) for each in hops(metrics, around))


def enclosing(metrics: MetricSeries, window: Window) -> Window:
    """Return the window from the last scrapes before another one to the first after it.

    The scrapes of processes follow each other closely. Where there are none the edge stays.
    """
    times = [each.times for each in metrics.by_process.values() if each.times]
    before = [each[at - 1] for each in times if (at := bisect_right(each, window.from_unix))]
    after = [each[at] for each in times if (at := bisect_left(each, window.to_unix)) < len(each)]
    return Window(max(before, default=window.from_unix), min(after, default=window.to_unix))


def place(way: Way) -> tuple[bool, Way]:
    """Sort ways: calls by clients first, then by name."""
    return way.is_internal, way


def _labelled(metrics: MetricSeries, name: str) -> list[tuple[str, Mapping[str, str]]]:
    return [
        (process, labels)
        for process in metrics.processes
        for labels in metrics.label_sets(process, name)
    ]


def _hop(metrics: MetricSeries, way: Way, service: str, window: Window) -> Hop:
    method = {"grpc_service": service, "grpc_method": way.method}
    answered = {**method, "caller": "" if way.caller == UNKNOWN else way.caller}
    asked = {**method, "peer": way.peer}
    calls = _increase(metrics, way.peer, CALLS, answered, window)
    received = _increase(metrics, way.peer, RECEIVED, answered, window)
    sent = _increase(metrics, way.peer, SENT, answered, window)
    return Hop(
        way,
        calls or 0.0,
        None if received is None or sent is None else received + sent,
        _increase(metrics, way.caller, ENTRIES, asked, window),
    )


def _increase(
    metrics: MetricSeries, role: str, name: str, labels: Mapping[str, str], window: Window
) -> float | None:
    """Return by how much a counter of all processes of a role rose; ``None`` if none has it."""
    found = [
        of_process.increase(series, window)
        for process, of_process in metrics.by_process.items()
        if role_of(process) == role and (series := of_process.matching(name, labels))
    ]
    return sum(found) if found else None


def _over(value: float | None, count: float) -> float | None:
    return None if value is None else value / count

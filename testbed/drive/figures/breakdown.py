"""Where the time of a client's request goes, and that of a job.

For each public method the mean time that clients measured is taken apart with what the processes
say of themselves: how long the entry handled the call, how much of that it waited for the store
and for peers, and how long each peer handled what it was asked. The parts add up to the client's
mean, because each is the difference of two measured times; docs/inside.md says what each rests on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from common.rpc.callers import CLIENT, PUBLIC_SERVICE
from common.topology import role_of
from testbed.drive.figures import peer_waits
from testbed.drive.figures.peer_waits import PeerWait
from testbed.record.calls import RESPONSE, SERVICE, CallSeries, Window, mean_us
from testbed.record.model import OPEN, TrialRecording
from testbed.record.series import MetricSeries

MS = 1000.0
US_TO_MS = 1e-3

LATE, CLIENT_SIDE, ENTRY, NETWORK, PEER, JOB = "late", "client", "entry", "network", "peer", "job"
BATCH, STORE = "batch", "store"

# Beyond these shares of the client's mean the reader gets a note.
COUNT_TOLERANCE = 0.05
WAIT_TOLERANCE = 0.02


class Segment(NamedTuple):
    """A part of a mean time. ``kind`` is one of the constants above, the same in all designs."""

    label: str
    milliseconds: float
    kind: str


@dataclass(frozen=True)
class MethodBreakdown:
    """One public method: the segments add up to ``mean_ms``, in the order of a call's way."""

    method: str
    calls: int
    mean_ms: float
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Breakdown:
    """All public methods that were called, and the mean life of a job after its acceptance.

    ``notes`` say what is missing. Without a record of metrics everything is empty but the notes.
    """

    methods: tuple[MethodBreakdown, ...] = ()
    job: tuple[Segment, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """A public method at the processes that clients call, per call of a client.

    ``waited_ms`` is for peers, ``stored_ms`` for the store.
    """

    role: str
    calls: float
    handling_ms: float
    waited_ms: float
    stored_ms: float = 0.0
    hops: tuple[PeerWait, ...] = ()


def breakdown(trial: TrialRecording, window: Window) -> Breakdown:
    """Take apart what clients measured in the window; a trial that did not complete has nothing."""
    if trial.load is None:
        return Breakdown(notes=("the trial did not complete",))
    if not trial.metrics:
        return Breakdown(notes=("the metrics of the processes were not recorded",))
    methods, notes = (
        [],
        [
            f"{process} did not answer {count} scrapes"
            for process, count in trial.metrics.unanswered(window).items()
        ],
    )
    is_open = trial.load.loop == OPEN
    for method, series in by_method(trial.load.calls).items():
        times = _client_times(series, is_open, window)
        if times is None:
            continue
        entry = _entry(trial.metrics, method, window)
        if entry is None:
            notes.append(f"{method}: no process reported calls by clients")
            continue
        methods.append(_method(method, times, entry))
    return Breakdown(tuple(methods), tuple(_job(trial.metrics, window)), tuple(notes))


def by_method(calls: Mapping[str, CallSeries]) -> dict[str, list[CallSeries]]:
    """Group the kinds of call by the method that they are calls of, in their order.

    Clients separate ``GetJobResult (not finished)`` from ``GetJobResult``; the processes do not.
    """
    found: dict[str, list[CallSeries]] = defaultdict(list)
    for name, series in calls.items():
        found[name.partition(" (")[0]].append(series)
    return dict(found)


@dataclass(frozen=True)
class _ClientTimes:
    """Mean times of a method's calls at the clients; ``late_ms`` is 0 in a closed loop."""

    calls: int
    service_ms: float
    late_ms: float


def _client_times(
    series: Iterable[CallSeries], is_open: bool, window: Window
) -> _ClientTimes | None:
    calls, service, response = 0, 0.0, 0.0
    for each in series:
        histogram = each.histogram(SERVICE, window)
        count = histogram.get_total_count()
        if not count:
            continue
        calls += count
        service += count * mean_us(histogram)
        if is_open:
            response += count * mean_us(each.histogram(RESPONSE, window))
    if not calls:
        return None
    late = max(0.0, response - service) if is_open else 0.0
    return _ClientTimes(calls, service / calls * US_TO_MS, late / calls * US_TO_MS)


def _entry(metrics: MetricSeries, method: str, window: Window) -> _Entry | None:
    """Return what the entries say of the calls by clients, ``None`` if there were none."""
    labels = {"grpc_service": PUBLIC_SERVICE, "grpc_method": method, "caller": CLIENT}
    calls = {
        process: metrics.increase(process, "taskqueue_handling_seconds_count", labels, window)
        for process in metrics.processes
    }
    entries = [process for process, count in calls.items() if count > 0]
    total = sum(calls.values())
    if not entries:
        return None
    role = role_of(entries[0])
    handling = metrics.increase(None, "taskqueue_handling_seconds_sum", labels, window)
    waited = metrics.increase(None, "taskqueue_waiting_seconds_total", labels, window)
    stored = metrics.increase(None, "taskqueue_store_waiting_seconds_total", labels, window)
    # Two questions at a time are in it twice.
    stored = min(stored, waited)
    found = tuple(peer_waits.of(metrics, method, role, total, window))
    per_call = MS / total
    return _Entry(
        role, total, handling * per_call, (waited - stored) * per_call, stored * per_call, found
    )


def _method(method: str, times: _ClientTimes, entry: _Entry) -> MethodBreakdown:
    """Lay the parts out along the way of a call; they add up to the client's mean."""
    segments = [Segment("late send", times.late_ms, LATE)] if times.late_ms else []
    segments.append(
        Segment("client and network", times.service_ms - entry.handling_ms, CLIENT_SIDE)
    )
    own = entry.handling_ms - entry.waited_ms - entry.stored_ms
    segments.append(Segment(f"{entry.role} itself", own, ENTRY))
    if entry.stored_ms:
        segments.append(Segment("the store, and the way to it", entry.stored_ms, STORE))
    if entry.waited_ms and not entry.hops:
        segments.append(Segment("waiting for peers", entry.waited_ms, NETWORK))
    scale = _scale(entry)
    for hop in sorted(entry.hops, key=lambda each: (each.peer, each.method)):
        segments.extend(_of_peer(hop, scale))
    return MethodBreakdown(
        method,
        times.calls,
        times.service_ms + times.late_ms,
        tuple(segments),
        tuple(_notes(times, entry)),
    )


def _of_peer(hop: PeerWait, scale: float) -> Iterator[Segment]:
    what = f"{hop.peer} {hop.method}"
    unsent = hop.unsent_ms * scale
    handling = min(hop.handling_ms, hop.wait_ms - hop.unsent_ms) * scale
    if hop.is_shared:
        yield Segment(f"until {what} is asked", unsent, BATCH)
    yield Segment(f"way to {what} and back", hop.wait_ms * scale - unsent - handling, NETWORK)
    yield Segment(what, handling, PEER)


def _scale(entry: _Entry) -> float:
    """Return by what the waits for single peers are multiplied to add up to the time waited."""
    waits = sum(hop.wait_ms for hop in entry.hops)
    return entry.waited_ms / waits if waits > 0 else 0.0


def _notes(times: _ClientTimes, entry: _Entry) -> Iterator[str]:
    if abs(entry.calls - times.calls) > COUNT_TOLERANCE * times.calls:
        yield (
            f"clients had {times.calls} answers, the processes handled {entry.calls:.0f} calls: "
            "the latter have calls that failed, and are interpolated at the edges of the window"
        )
    if entry.handling_ms > times.service_ms:
        yield "the processes measured more than the clients: the two are not of the same calls"
    waits = sum(hop.wait_ms for hop in entry.hops)
    if waits > entry.waited_ms + WAIT_TOLERANCE * times.service_ms:
        yield (
            f"peers are asked at the same time: {waits:.2f} ms of waiting are shown as the "
            f"{entry.waited_ms:.2f} ms that they took together"
        )
    if waits < entry.waited_ms - WAIT_TOLERANCE * times.service_ms:
        yield (
            f"{entry.waited_ms - waits:.2f} ms of waiting are not broken down by peer: they are "
            "shared out as the rest of it, which is wrong for calls that answer several at once"
            if waits
            else "what was waited for is not broken down by peer"
        )
    if any(hop.handling_ms > hop.wait_ms for hop in entry.hops):
        yield "a peer measured more than who waited for it: its calls differ by who asks"


def _job(metrics: MetricSeries, window: Window) -> Iterator[Segment]:
    for label, name in (
        ("waiting for a slot", "taskqueue_job_wait_seconds"),
        ("from start to end", "taskqueue_job_execution_seconds"),
    ):
        count = metrics.increase(None, f"{name}_count", {}, window)
        if count > 0:
            total = metrics.increase(None, f"{name}_sum", {}, window)
            yield Segment(label, total * MS / count, JOB)

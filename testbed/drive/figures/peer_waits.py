"""How long a public method waits for each method of a peer, and what the peer does meanwhile.

A call to a peer may be of one that waits for its answer, or of several who share it: then each
waits until it is sent, and for the whole of it. Processes that share calls count the waiting of
each (``taskqueue_peer_wait_seconds``) beside the calls (``grpc_client_handling_seconds``); of
others, and of methods whose calls are not shared, a call has one who waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from common.topology import role_of
from testbed.record.calls import Window
from testbed.record.series import MetricSeries

MS = 1000.0
CALLS = "grpc_client_handling_seconds"
WAITS = "taskqueue_peer_wait_seconds"
HANDLING = "taskqueue_handling_seconds"
_WAY = ("peer", "grpc_service", "grpc_method")


@dataclass(frozen=True)
class PeerWait:
    """One method of a peer as a public method waits for it, per public call.

    ``unsent_ms`` is the part of ``wait_ms`` before a shared call is sent; ``handling_ms`` is how
    long the peer handles what is waited for.
    """

    peer: str
    method: str
    wait_ms: float
    handling_ms: float
    unsent_ms: float = 0.0
    is_shared: bool = False


def of(
    metrics: MetricSeries, within: str, caller: str, public_calls: float, window: Window
) -> Iterator[PeerWait]:
    """Give what is waited for within a public method that processes of the role ``caller`` answer.

    ``public_calls`` is how often they did in the window.
    """
    shared = _ways(metrics, WAITS)
    for name in (WAITS, CALLS):
        for labels in metrics.label_sets(None, f"{name}_count"):
            if labels.get("within") != within or (name == CALLS and _way(labels) in shared):
                continue
            waits = metrics.increase(None, f"{name}_count", labels, window)
            if waits > 0:
                seconds = metrics.increase(None, f"{name}_sum", labels, window)
                handling = waits * _handling(metrics, labels, caller, window)
                sent = waits * _call(metrics, labels, caller, window) if name == WAITS else seconds
                yield PeerWait(
                    labels["peer"],
                    labels["grpc_method"],
                    seconds * MS / public_calls,
                    handling * MS / public_calls,
                    max(0.0, seconds - sent) * MS / public_calls,
                    name == WAITS,
                )


def _ways(metrics: MetricSeries, name: str) -> set[tuple[str, ...]]:
    return {_way(labels) for labels in metrics.label_sets(None, f"{name}_count")}


def _way(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels[name] for name in _WAY)


def _call(metrics: MetricSeries, asked: Mapping[str, str], caller: str, window: Window) -> float:
    """Return the mean time, in seconds, of a call to a peer by processes of the role ``caller``."""
    wanted = {name: asked[name] for name in _WAY}
    return _mean(metrics, caller, CALLS, wanted, window)


def _handling(
    metrics: MetricSeries, asked: Mapping[str, str], caller: str, window: Window
) -> float:
    """Return the mean time, in seconds, that a peer handles such a call by the role ``caller``."""
    wanted = {"caller": caller} | {name: asked[name] for name in ("grpc_service", "grpc_method")}
    return _mean(metrics, asked["peer"], HANDLING, wanted, window)


def _mean(
    metrics: MetricSeries, role: str, name: str, labels: Mapping[str, str], window: Window
) -> float:
    processes = [each for each in metrics.processes if role_of(each) == role]
    count = sum(metrics.increase(each, f"{name}_count", labels, window) for each in processes)
    total = sum(metrics.increase(each, f"{name}_sum", labels, window) for each in processes)
    return total / count if count > 0 else 0.0

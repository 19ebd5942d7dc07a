"""The calls of a process in a window, as it counted them: those it answered, those it made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from testbed.drive.figures.quantiles import enough
from testbed.record.buckets import BucketIncrease
from testbed.record.calls import Window
from testbed.record.series import MetricSeries

MS = 1000.0
PERCENTILES = (50, 99)

# Method, metric and value.
Figure = tuple[str, str, float | None]


def answered(metrics: MetricSeries, process: str | None, window: Window) -> Iterator[Figure]:
    """Give the calls that a process answered, by method and by caller; ``None`` is all of them."""
    name = "grpc_server_handling_seconds"
    for labels in metrics.label_sets(process, f"{name}_count"):
        method = labels["grpc_method"]
        found = metrics.histogram(process, name, labels, window)
        if found is None or found.count <= 0:
            continue
        yield method, "calls_per_second", found.count / window.seconds
        for metric, value in times("handling", found):
            yield method, metric, value
        for metric, value in _by_caller(metrics, process, labels, window):
            yield method, metric, value
        yield from _errors(metrics, process, "grpc_server_handled_total", labels, method, window)


def _by_caller(
    metrics: MetricSeries, process: str | None, method: Mapping[str, str], window: Window
) -> Iterator[tuple[str, float | None]]:
    name, waited = "taskqueue_handling_seconds", "taskqueue_waiting_seconds_total"
    wanted = {key: method[key] for key in ("grpc_service", "grpc_method")}
    calls = metrics.increase(process, f"{name}_count", wanted, window)
    if calls <= 0:
        return
    total = metrics.increase(process, f"{name}_sum", wanted, window)
    waiting = metrics.increase(process, waited, wanted, window)
    yield "waiting_mean_ms", waiting * MS / calls
    yield "own_mean_ms", (total - waiting) * MS / calls
    for labels in metrics.label_sets(process, f"{name}_count"):
        if wanted.items() <= labels.items():
            count = metrics.increase(process, f"{name}_count", labels, window)
            if count > 0:
                caller = labels.get("caller", "") or "unknown"
                seconds = metrics.increase(process, f"{name}_sum", labels, window)
                yield f"calls_per_second_from_{caller}", count / window.seconds
                yield f"handling_mean_ms_from_{caller}", seconds * MS / count


def made(metrics: MetricSeries, process: str | None, window: Window) -> Iterator[Figure]:
    """Give the calls that a process made; the method reads ``within>peer.method``."""
    name = "grpc_client_handling_seconds"
    for labels in metrics.label_sets(process, f"{name}_count"):
        found = metrics.histogram(process, name, labels, window)
        if found is None or found.count <= 0:
            continue
        method = f"{labels['within']}>{labels['peer']}.{labels['grpc_method']}"
        yield method, "outbound_calls_per_second", found.count / window.seconds
        for metric, value in times("outbound", found):
            yield method, metric, value
        yield from _errors(metrics, process, "grpc_client_handled_total", labels, method, window)


def _errors(
    metrics: MetricSeries,
    process: str | None,
    name: str,
    labels: Mapping[str, str],
    method: str,
    window: Window,
) -> Iterator[Figure]:
    for each in metrics.label_sets(process, name):
        if labels.items() <= each.items() and each["grpc_code"] != "OK":
            count = metrics.increase(process, name, each, window)
            if count > 0:
                yield method, f"ended_{each['grpc_code']}", count


def times(what: str, found: BucketIncrease | None) -> Iterator[tuple[str, float | None]]:
    """Give mean and percentiles, and of these the edges of the bucket between which they lie."""
    if found is None or found.mean is None:
        return
    yield f"{what}_mean_ms", found.mean * MS
    for percent in PERCENTILES:
        estimate = found.percentile(percent) if enough(round(found.count), percent) else None
        name = f"{what}_p{percent}"
        if estimate is None:
            yield f"{name}_ms", None
            continue
        yield f"{name}_ms", estimate.value * MS
        yield f"{name}_low_ms", estimate.low * MS
        yield f"{name}_high_ms", estimate.high * MS

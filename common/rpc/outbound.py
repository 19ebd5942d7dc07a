"""The metrics of outbound calls: how long each took until its answer, and how it ended.

Counted by the event loop alone and made metrics of when they are scraped, as in ``inbound``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import cast

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from common.buckets import Durations


class OutboundCounts:
    """The calls of one method of a peer, made within one method of this process."""

    __slots__ = ("durations", "handled")

    def __init__(self) -> None:
        self.durations = Durations()
        self.handled = Counter(OK=0)

    def ended(self, code: str, seconds: float) -> None:
        """Count and time a call."""
        self.durations.observe(seconds)
        self.handled[code] += 1


class Waits:
    """Those who waited for a method of a peer, within one method of this process."""

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0

    def ended(self, seconds: float) -> None:
        """Count one, from asking to its answer."""
        self.count += 1
        self.seconds += seconds


class ClientMetrics(Collector):
    """The metrics of all calls that a process makes, under the names dashboards know.

    ``peer`` is the role of the process that is called: nodes are equal, so they count as one
    ``node``, which also keeps the page that is scraped short. ``within`` is the method in whose
    handling the call was made, empty for work of the process's own.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counts: dict[tuple[type[Message], str, str], OutboundCounts] = {}
        self._entries: Counter[tuple[type[Message], str]] = Counter()
        self._waits: dict[tuple[type[Message], str, str], Waits] = {}
        registry.register(self)

    def of(self, request: type[Message], peer: str, within: str) -> OutboundCounts:
        """Return what counts the method that takes ``request``; to be kept by who asks."""
        method_of(request)
        return self._counts.setdefault((request, peer, within), OutboundCounts())

    def sent(self, request: type[Message], peer: str, entries: int) -> None:
        """Count the entries of a call that may carry many, to the method that takes ``request``."""
        self._entries[request, peer] += entries

    def waits(self, request: type[Message], peer: str, within: str) -> Waits:
        """Return what counts those who wait for a call that several may share."""
        return self._waits.setdefault((request, peer, within), Waits())

    def collect(self) -> Iterator[Metric]:
        """Give the metrics of all methods that were called."""
        labels = ["grpc_type", "grpc_service", "grpc_method", "peer", "within"]
        handling = HistogramMetricFamily(
            "grpc_client_handling_seconds",
            "Time from the start of an outbound call to its answer",
            labels=labels,
        )
        handled = CounterMetricFamily(
            "grpc_client_handled", "Outbound calls ended", labels=[*labels, "grpc_code"]
        )
        # Copies, for a method or a code may come meanwhile.
        for (request, peer, within), counts in list(self._counts.items()):
            method = method_of(request)
            values = ["unary", method.containing_service.full_name, method.name, peer, within]
            durations = counts.durations
            handling.add_metric(values, durations.buckets(), durations.seconds)
            for code, count in list(counts.handled.items()):
                handled.add_metric([*values, code], count)
        sent = CounterMetricFamily(
            "taskqueue_sent_entries",
            "Entries in outbound calls that may carry many",
            labels=["grpc_service", "grpc_method", "peer"],
        )
        for (request, peer), entries in list(self._entries.items()):
            method = method_of(request)
            sent.add_metric([method.containing_service.full_name, method.name, peer], entries)
        yield from (handling, handled, sent, self._shared())

    def _shared(self) -> Metric:
        waiting = SummaryMetricFamily(
            "taskqueue_peer_wait_seconds",
            "Time of each who waits for an outbound call that several may share, to its answer",
            labels=["grpc_service", "grpc_method", "peer", "within"],
        )
        for (request, peer, within), waits in list(self._waits.items()):
            method = method_of(request)
            values = [method.containing_service.full_name, method.name, peer, within]
            waiting.add_metric(values, waits.count, waits.seconds)
        return waiting


def method_of(request: type[Message]) -> MethodDescriptor:
    """Return the method that takes this message; every method has a request of its own."""
    wanted = request.DESCRIPTOR
    for service in wanted.file.services_by_name.values():
        for method in service.methods:
            if method.input_type is wanted:
                return cast(MethodDescriptor, method)
    raise TypeError(f"no method beside {wanted.full_name} takes it")

"""The metrics of outbound calls: how long each took until its answer, and how it ended."""

from __future__ import annotations

import functools
import time
from typing import cast

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from prometheus_client import CollectorRegistry, Counter, Histogram

from common import context
from common.buckets import BUCKETS


class ClientMetrics:
    """The metrics of all calls that a process makes, under the names dashboards know.

    ``peer`` is the role of the process that is called: nodes are equal, so they count as one
    ``node``, which also keeps the page that is scraped short. ``within`` is the method in whose
    handling the call was made, empty for work of the process's own.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["grpc_type", "grpc_service", "grpc_method", "peer", "within"]
        self._handling = Histogram(
            "grpc_client_handling_seconds",
            "Time from the start of an outbound call to its answer",
            labels,
            buckets=BUCKETS,
            registry=registry,
        )
        self._handled = Counter(
            "grpc_client_handled",
            "Outbound calls ended",
            [*labels, "grpc_code"],
            registry=registry,
        )
        self._entries = Counter(
            "taskqueue_sent_entries",
            "Entries in outbound calls that carry several",
            ["grpc_service", "grpc_method", "peer"],
            registry=registry,
        )

    def entries_of(self, request: type[Message], peer: str) -> Counter:
        """Return the count of the entries sent to the method that takes ``request``."""
        method = method_of(request)
        return self._entries.labels(
            grpc_service=method.containing_service.full_name, grpc_method=method.name, peer=peer
        )

    def of(self, request: type[Message], peer: str, within: str) -> MethodMetrics:
        """Return the metrics of the method that takes ``request``; to be kept by who asks."""
        method = method_of(request)
        labels = {
            "grpc_type": "unary",
            "grpc_service": method.containing_service.full_name,
            "grpc_method": method.name,
            "peer": peer,
            "within": within,
        }
        return MethodMetrics(self._handling.labels(**labels), self._handled, labels)


class MethodMetrics:
    """The metrics of one method of a peer, called within one method of this process."""

    def __init__(self, handling: Histogram, handled: Counter, labels: dict[str, str]) -> None:
        self._handling = handling
        self._handled = functools.cache(lambda code: handled.labels(**labels, grpc_code=code))
        self._handled("OK")

    def ended(self, code: str, seconds: float) -> None:
        """Count and time a call."""
        self._handling.observe(seconds)
        self._handled(code).inc()


class Timed:
    """One outbound call: timed, counted, and noted with the call in whose handling it is made.

    A context manager; set :attr:`code` to how the call ended before it is left.
    """

    __slots__ = ("_began", "_handling", "_metrics", "code")

    def __init__(self, metrics: MethodMetrics, handling: context.Handling | None) -> None:
        self._metrics = metrics
        self._handling = handling
        self.code = "UNKNOWN"

    def __enter__(self) -> Timed:
        self._began = time.perf_counter()
        if self._handling is not None:
            self._handling.wait_begins(self._began)
        return self

    def __exit__(self, *_: object) -> None:
        ended = time.perf_counter()
        if self._handling is not None:
            self._handling.wait_ends(ended)
        self._metrics.ended(self.code, ended - self._began)


def method_of(request: type[Message]) -> MethodDescriptor:
    """Return the method that takes this message; every method has a request of its own."""
    wanted = request.DESCRIPTOR
    for service in wanted.file.services_by_name.values():
        for method in service.methods:
            if method.input_type is wanted:
                return cast(MethodDescriptor, method)
    raise TypeError(f"no method beside {wanted.full_name} takes it")

"""The metrics of the calls that a process answers, under the names dashboards know.

The event loop alone counts, in plain attributes; a collector makes metrics of them when they are
scraped, in another thread. So a page may show a call in one metric and not yet in the next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from common.buckets import Durations
from common.context import Handling, handle, unhandle

_CODES: dict[object, str] = {code.value[0]: code.name for code in grpc.StatusCode}
_CODES |= {code: code.name for code in grpc.StatusCode}

Answer = Callable[[Any, Any], Awaitable[bytes]]


class _CallerCounts:
    """The calls of one method by one caller."""

    __slots__ = ("calls", "received", "seconds", "sent", "stored", "waited")

    def __init__(self) -> None:
        self.calls = 0
        self.seconds = 0.0
        self.waited = 0.0
        self.stored = 0.0
        self.received = 0
        self.sent = 0


class MethodCounts:
    """The calls of one method (full gRPC path), counted and timed."""

    def __init__(self, path: str) -> None:
        service, _, self.method = path[1:].partition("/")
        self.labels = [service, self.method]
        self.started = 0
        self.handling = Durations()
        self.handled = {code.name: 0 for code in grpc.StatusCode}
        self.callers: dict[str, _CallerCounts] = {}

    async def around(self, answer: Answer, request: Any, context: Any, received: int) -> bytes:
        """Return the answer to a request of ``received`` bytes, and count it however it ends."""
        self.started += 1
        code, response = "UNKNOWN", b""
        handling = Handling(self.method)
        token = handle(handling)
        began = time.perf_counter()
        try:
            response = await answer(request, context)
            code = "OK"
            return response
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception:
            code = _CODES.get(context.code(), "UNKNOWN")
            raise
        finally:
            self._ended(handling, code, time.perf_counter() - began, received, len(response))
            unhandle(token)

    def _ended(
        self, handling: Handling, code: str, seconds: float, received: int, sent: int
    ) -> None:
        self.handling.observe(seconds)
        self.handled[code] += 1
        counts = self.callers.get(handling.caller)
        if counts is None:
            counts = self.callers[handling.caller] = _CallerCounts()
        counts.calls += 1
        counts.seconds += seconds
        counts.waited += handling.waited
        counts.stored += handling.stored
        counts.received += received
        counts.sent += sent


class ServerMetrics(Collector):
    """Counts and times the unary calls to the given methods (full gRPC paths)."""

    def __init__(self, registry: CollectorRegistry, paths: Iterable[str]) -> None:
        self._methods = {path: MethodCounts(path) for path in paths}
        registry.register(self)

    def of(self, path: str) -> MethodCounts | None:
        """Return what counts a method, ``None`` for one that is not counted."""
        return self._methods.get(path)

    def collect(self) -> Iterator[Metric]:
        """Give the metrics of all methods, then those by caller."""
        method = ["grpc_type", "grpc_service", "grpc_method"]
        started = CounterMetricFamily("grpc_server_started", "Calls begun", labels=method)
        received = CounterMetricFamily(
            "grpc_server_msg_received", "Messages received", labels=method
        )
        sent = CounterMetricFamily("grpc_server_msg_sent", "Messages sent", labels=method)
        handled = CounterMetricFamily(
            "grpc_server_handled", "Calls ended", labels=[*method, "grpc_code"]
        )
        handling = HistogramMetricFamily(
            "grpc_server_handling_seconds",
            "Time from the start of a call's handler to its end",
            labels=method,
        )
        for counts in self._methods.values():
            labels = ["unary", *counts.labels]
            started.add_metric(labels, counts.started)
            # A call of one message is begun once that is there, and answers with one or fails.
            received.add_metric(labels, counts.started)
            sent.add_metric(labels, counts.handled["OK"])
            for code, count in counts.handled.items():
                handled.add_metric([*labels, code], count)
            handling.add_metric(labels, counts.handling.buckets(), counts.handling.seconds)
        yield from (started, received, sent, handled, handling)
        yield from self._by_caller()

    def _by_caller(self) -> Iterator[Metric]:
        labels = ["grpc_service", "grpc_method", "caller"]
        handling = SummaryMetricFamily(
            "taskqueue_handling_seconds",
            "The same by caller; empty for one that was not admitted",
            labels=labels,
        )
        waiting = CounterMetricFamily(
            "taskqueue_waiting_seconds",
            "The part of it in which the answer of a peer or of the store was awaited",
            labels=labels,
        )
        storing = CounterMetricFamily(
            "taskqueue_store_waiting_seconds",
            "The part of that in which the store's was, of calls that have asked it",
            labels=labels,
        )
        received = CounterMetricFamily(
            "taskqueue_received_bytes", "Size of the request messages, serialized", labels=labels
        )
        sent = CounterMetricFamily(
            "taskqueue_sent_bytes", "Size of the response messages, serialized", labels=labels
        )
        for counts in self._methods.values():
            # A copy, for a caller may come meanwhile.
            for caller, by_caller in list(counts.callers.items()):
                values = [*counts.labels, caller]
                handling.add_metric(values, by_caller.calls, by_caller.seconds)
                waiting.add_metric(values, by_caller.waited)
                if by_caller.stored:
                    storing.add_metric(values, by_caller.stored)
                received.add_metric(values, by_caller.received)
                sent.add_metric(values, by_caller.sent)
        yield from (handling, waiting, storing, received, sent)

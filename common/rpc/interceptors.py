"""What happens around every call: metrics outside, then caller, deadline and errors."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from grpc_interceptor.server import AsyncServerInterceptor
from prometheus_client import CollectorRegistry, Counter, Histogram, Summary

from common import context
from common.buckets import BUCKETS
from common.context import Handling, handle, unhandle
from common.domain.errors import DeadlineAlreadyPast, InternalError, Stopping, TaskQueueError
from common.rpc import callers, metadata, status

logger = logging.getLogger(__name__)

_CODES: dict[object, str] = {code.value[0]: code.name for code in grpc.StatusCode}
_CODES |= {code: code.name for code in grpc.StatusCode}


class _MethodMetrics:
    """The metrics of one method, looked up once and set to zero at the start."""

    def __init__(self, metrics: MetricsInterceptor, path: str) -> None:
        service, _, method = path[1:].partition("/")
        labels = {"grpc_type": "unary", "grpc_service": service, "grpc_method": method}
        self.method = method
        self.started = metrics.started.labels(**labels)
        self.received = metrics.received.labels(**labels)
        self.sent = metrics.sent.labels(**labels)
        self.handling = metrics.handling.labels(**labels)
        self.handled = {
            code.name: metrics.handled.labels(**labels, grpc_code=code.name)
            for code in grpc.StatusCode
        }
        self._metrics = metrics
        self._labels = {"grpc_service": service, "grpc_method": method}
        self._callers: dict[str, _CallerMetrics] = {}

    def ended(self, handling: Handling, code: str, seconds: float, sizes: tuple[int, int]) -> None:
        """Count and time a call; ``seconds`` is the time of its handling.

        ``sizes`` are the bytes of its request and of its response, 0 for one that there is none of.
        """
        self.handling.observe(seconds)
        self.handled[code].inc()
        by_caller = self._callers.get(handling.caller)
        if by_caller is None:
            labels = {**self._labels, "caller": handling.caller}
            by_caller = self._callers[handling.caller] = _CallerMetrics(self._metrics, labels)
        by_caller.handling.observe(seconds)
        if handling.waited:
            by_caller.waiting.inc(handling.waited)
        received, sent = sizes
        by_caller.received_bytes.inc(received)
        by_caller.sent_bytes.inc(sent)


class _CallerMetrics:
    """The metrics of one method called by one caller."""

    def __init__(self, metrics: MetricsInterceptor, labels: dict[str, str]) -> None:
        self.handling = metrics.by_caller.labels(**labels)
        self.waiting = metrics.waiting.labels(**labels)
        self.received_bytes = metrics.received_bytes.labels(**labels)
        self.sent_bytes = metrics.sent_bytes.labels(**labels)


class MetricsInterceptor(AsyncServerInterceptor):
    """Counts and times the unary calls to the given methods, under the names dashboards know."""

    def __init__(self, registry: CollectorRegistry, paths: Iterable[str]) -> None:
        labels = ["grpc_type", "grpc_service", "grpc_method"]
        self.started = Counter("grpc_server_started", "Calls begun", labels, registry=registry)
        self.received = Counter(
            "grpc_server_msg_received", "Messages received", labels, registry=registry
        )
        self.sent = Counter("grpc_server_msg_sent", "Messages sent", labels, registry=registry)
        self.handled = Counter(
            "grpc_server_handled", "Calls ended", [*labels, "grpc_code"], registry=registry
        )
        self.handling = Histogram(
            "grpc_server_handling_seconds",
            "Time from the start of a call's handler to its end",
            labels,
            buckets=BUCKETS,
            registry=registry,
        )
        by_caller = ["grpc_service", "grpc_method", "caller"]
        self.by_caller = Summary(
            "taskqueue_handling_seconds",
            "The same by caller; empty for one that was not admitted",
            by_caller,
            registry=registry,
        )
        self.waiting = Counter(
            "taskqueue_waiting_seconds",
            "The part of it in which the answer of a peer was awaited",
            by_caller,
            registry=registry,
        )
        self.received_bytes = Counter(
            "taskqueue_received_bytes",
            "Size of the request messages, serialized",
            by_caller,
            registry=registry,
        )
        self.sent_bytes = Counter(
            "taskqueue_sent_bytes",
            "Size of the response messages, serialized",
            by_caller,
            registry=registry,
        )
        self._methods = {path: _MethodMetrics(self, path) for path in paths}

    async def intercept(
        self, method: Any, request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        """Count and time one call; what is not counted passes through."""
        metrics = self._methods.get(method_name)
        if metrics is None:
            return await _pass(method, request_or_iterator, context)
        metrics.started.inc()
        metrics.received.inc()
        code = "UNKNOWN"
        sent = 0
        handling = Handling(metrics.method)
        token = handle(handling)
        began = time.perf_counter()
        try:
            response = await method(request_or_iterator, context)
            code = "OK"
            metrics.sent.inc()
            sent = response.ByteSize()
            return response
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception:
            code = _CODES.get(context.code(), "UNKNOWN")
            raise
        finally:
            sizes = request_or_iterator.ByteSize(), sent
            metrics.ended(handling, code, time.perf_counter() - began, sizes)
            unhandle(token)


class CallInterceptor(AsyncServerInterceptor):
    """Checks the caller, takes over deadline and correlation id, turns errors into statuses.

    ``default_deadline`` bounds, in seconds, a call that comes without a deadline of its own;
    ``allowed`` says which methods each caller may call, ``name`` what the process is called,
    ``secret`` what callers of the stack prove themselves by.
    """

    def __init__(
        self,
        default_deadline: float,
        allowed: Mapping[str, frozenset[str]] = callers.ALLOWED,
        name: str = "",
        secret: str = "",
    ) -> None:
        self._name = name
        self._secret = secret
        self._refused: frozenset[str] = frozenset()
        self._default_deadline = default_deadline
        self._allowed = allowed
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def intercept(
        self, method: Any, request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        """Run one call."""
        if method_name.startswith("/grpc."):
            return await _pass(method, request_or_iterator, context)
        self._in_flight += 1
        self._idle.clear()
        try:
            return await self._run(method, request_or_iterator, context, method_name)
        except TaskQueueError as error:
            logger.debug("%s failed: %s", method_name, error)
            await context.abort_with_status(status.to_grpc(error))
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            logger.exception("%s met a defect", method_name)
            failed = InternalError(f"{type(error).__name__} in {method_name}; see the log")
            await context.abort_with_status(status.to_grpc(failed))
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    def refuse(self, methods: Iterable[str]) -> None:
        """From now on refuse these methods, because the process stops (full gRPC paths)."""
        self._refused = frozenset(methods)

    async def drain(self) -> None:
        """Wait until no call is in flight; streams of health and reflection do not count."""
        await self._idle.wait()

    async def _run(self, method: Any, request: Any, grpc_context: Any, method_name: str) -> Any:
        pairs = metadata.of(grpc_context.invocation_metadata())
        caller = pairs.get(metadata.CALLER, callers.CLIENT)
        correlation = metadata.correlation_of(pairs)
        left = grpc_context.time_remaining()
        timeout = self._default_deadline if left is None else left
        with context.call(correlation, timeout, caller):
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("%s called by %s", method_name, caller)
            callers.check(caller, method_name, self._allowed)
            callers.prove(caller, pairs.get(metadata.PROOF, ""), self._secret)
            # A name from outside becomes a label only once it is known to be one of ours.
            if (handling := context.handling()) is not None:
                handling.caller = caller
            if timeout <= 0:
                raise DeadlineAlreadyPast
            if method_name in self._refused:
                raise Stopping(self._name)
            return await method(request, grpc_context)


async def _pass(method: Any, request: Any, context: Any) -> Any:
    """Call a method that may stream its answers."""
    response = method(request, context)
    return response if hasattr(response, "__aiter__") else await response

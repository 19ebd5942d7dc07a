"""What happens around every call once it is admitted: caller, deadline, errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from grpc_interceptor.server import AsyncServerInterceptor

from common import context
from common.domain.errors import DeadlineAlreadyPast, InternalError, Stopping, TaskQueueError
from common.rpc import callers, metadata, status

logger = logging.getLogger(__name__)


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
        # Only while somebody waits for it.
        self._idle: asyncio.Event | None = None

    async def intercept(
        self, method: Any, request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        """Run one call."""
        if method_name.startswith("/grpc."):
            return await _pass(method, request_or_iterator, context)
        self._in_flight += 1
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
            if self._idle is not None and not self._in_flight:
                self._idle.set()

    def refuse(self, methods: Iterable[str]) -> None:
        """From now on refuse these methods, because the process stops (full gRPC paths)."""
        self._refused = frozenset(methods)

    async def drain(self) -> None:
        """Wait until no call is in flight; streams of health and reflection do not count."""
        while self._in_flight:
            self._idle = asyncio.Event()
            await self._idle.wait()

    async def _run(self, method: Any, request: Any, grpc_context: Any, method_name: str) -> Any:
        pairs = metadata.of(grpc_context.invocation_metadata())
        caller = pairs.get(metadata.CALLER, callers.CLIENT)
        correlation = metadata.correlation_of(pairs)
        left = grpc_context.time_remaining()
        timeout = self._default_deadline if left is None else left
        with context.call(correlation, timeout, caller):
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

"""Runs one execution to its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol, cast

from common.domain.errors import UnknownKind
from common.domain.job import MICROSECONDS, Assignment, Outcome
from common.handlers.registry import Handler, HandlerRegistry
from common.worker.outcomes import done, failed, failed_by, timed_out, unreadable
from common.worker.processes import CpuProcesses


class Executor(Protocol):
    """What the worker's loop needs."""

    async def run(self, assignment: Assignment) -> Outcome:
        """Run to the end. Canceling stops the execution; nothing of it runs on afterwards."""
        ...


class JobExecutor:
    """Runs ``async`` handlers in the event loop and CPU handlers in processes.

    It sets no limit to how many run at once: its caller has the slots. A process that had nothing
    to do for ``idle_seconds`` is stopped.
    """

    def __init__(self, registry: HandlerRegistry, idle_seconds: float = 5.0) -> None:
        self._registry = registry
        self._processes = CpuProcesses(idle_seconds)

    async def run(self, assignment: Assignment) -> Outcome:
        """Return DONE, or FAILED with what went wrong: a handler's error is not raised here."""
        spec = assignment.spec
        try:
            handler = self._registry.get(spec.kind)
        except UnknownKind as error:
            return failed(error.reason, error.message)
        timeout = spec.execution_timeout
        limit = None if timeout is None else timeout / MICROSECONDS
        try:
            if handler.burns_cpu:
                return await self._processes.run(handler, spec.payload, limit)
            async with asyncio.timeout(limit):
                return await _run_here(handler, spec.payload)
        except TimeoutError:
            return timed_out(limit or 0.0)

    async def close(self) -> None:
        """Stop all processes and wait until they have exited. Executions in them end as failed."""
        await self._processes.close()


async def _run_here(handler: Handler[Any], payload: bytes) -> Outcome:
    try:
        params = handler.parse(payload)
    except ValueError as error:
        return unreadable(error)
    try:
        return done(await cast("Awaitable[bytes]", handler.run(params)))
    except (Exception, SystemExit) as error:
        return failed_by(error)

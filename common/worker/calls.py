"""A worker's calls to its coordinator: each with a deadline, and failures as ``None``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from common import context
from common.domain.errors import TaskQueueError
from common.domain.job import Assignment, Execution, Outcome
from common.ports import Coordinator, HeartbeatReply, ReportReply

logger = logging.getLogger(__name__)

CALL_TIMEOUT = 5.0

Answer = TypeVar("Answer")


class Calls:
    """Makes the calls in the name of one worker. Times are in seconds.

    A coordinator that is out of reach is logged and answers ``None``; any error that is not a
    ``TaskQueueError`` is a defect and passes through.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        worker: str,
        slots: int,
        heartbeat_interval: float,
        long_poll: float,
    ) -> None:
        self._coordinator = coordinator
        self._worker = worker
        self._slots = slots
        self._long_poll = long_poll
        # A heartbeat that is not answered must not hold up the next ones for long.
        self._heartbeat_timeout = min(CALL_TIMEOUT, max(1.0, 4 * heartbeat_interval))

    async def heartbeat(self, held: Sequence[Execution]) -> HeartbeatReply | None:
        """Report what is held."""
        return await self._call(
            "send a heartbeat",
            self._heartbeat_timeout,
            lambda: self._coordinator.heartbeat(self._worker, self._slots, held),
        )

    async def fetch(self, free: int) -> list[Assignment] | None:
        """Ask for up to ``free`` jobs, waiting for the first as long as the long poll."""
        return await self._call(
            "fetch work",
            self._long_poll + CALL_TIMEOUT,
            lambda: self._coordinator.fetch(self._worker, self._slots, free, self._long_poll),
        )

    async def report(
        self,
        reports: Sequence[tuple[Execution, Outcome]],
        returned: Sequence[Execution],
        free: int,
    ) -> ReportReply | None:
        """Report outcomes, give executions back, and take up to ``free`` jobs that are there."""
        return await self._call(
            "report outcomes",
            CALL_TIMEOUT,
            lambda: self._coordinator.report(self._worker, reports, returned, self._slots, free),
        )

    async def _call(
        self, what: str, limit: float, call: Callable[[], Awaitable[Answer]]
    ) -> Answer | None:
        try:
            with context.call(timeout=limit):
                async with asyncio.timeout(limit):
                    return await call()
        except TaskQueueError as error:
            logger.warning("%s could not %s: %s", self._worker, what, error)
        except TimeoutError:
            logger.warning("%s could not %s in %g s", self._worker, what, limit)
        return None

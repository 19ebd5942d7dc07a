"""Leftovers: records of submits that never came to their end, found and forgotten.

A gateway that dies between the two steps of a submit, or whose withdrawal is lost, leaves a record
that is QUEUED and not in the queue: nobody was promised the job, and it would wait for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from common import context
from common.domain import ids
from common.domain.errors import TaskQueueError
from common.domain.job import JobState
from common.domain.paging import JobQuery
from common.ports import Jobs, Queue

logger = logging.getLogger(__name__)

PAUSE = 10.0
"""Seconds between two rounds: twice as long as a submit may take."""
PAGE = 500
AFRESH = 30
"""In each of so many rounds every record is asked about, for a queue that lost its memory."""


class Leftovers:
    """Finds them over the owners' ports. Any number of these may be at work at once.

    An accepted job is in the queue until it is terminal. So a record that waits is asked about
    once, when it is older than a submit can be: the queue says that it has the job, or that it
    has not and from now on refuses it. Then no submit was or will be accepted for that record,
    however late its messages are, and it may go.
    """

    def __init__(self, jobs: Jobs, queue: Queue) -> None:
        self._jobs = jobs
        self._queue = queue
        self._rounds = 0
        self._newest = ""  # in the round before: what is not above it is old enough
        self._asked = ""  # nothing up to here needs to be asked about

    async def watch(self) -> None:
        """Until canceled: do a round now and then; an owner out of reach is met again later."""
        while True:
            await asyncio.sleep(PAUSE)
            with context.call(timeout=PAUSE):
                try:
                    await self.round()
                except TaskQueueError as error:
                    logger.warning("leftovers not looked for: %s", error)

    async def round(self) -> None:
        """Ask about the records that were there in the round before and wait still."""
        self._rounds += 1
        if self._rounds % AFRESH == 0:
            self._asked = ""
        old = self._newest
        newest = await self._jobs.page(JobQuery(JobState.QUEUED, limit=1))
        self._newest = newest[0].id if newest else old
        if old > self._asked:
            await self._ask(old)
            self._asked = old

    async def _ask(self, newest: str) -> None:
        """Ask about the records from ``newest`` down to those that were asked about before."""
        before = ids.successor(newest)
        while True:
            page = await self._jobs.page(JobQuery(JobState.QUEUED, before=before, limit=PAGE))
            waiting = [job.id for job in page if job.id > self._asked]
            if waiting:
                await self._forget_unless_queued(waiting)
            if len(waiting) < PAGE:
                return
            before = waiting[-1]

    async def _forget_unless_queued(self, job_ids: Sequence[str]) -> None:
        kept_out = await self._queue.keep_out(job_ids)
        left = [each for each, out in zip(job_ids, kept_out, strict=True) if out]
        if left:
            logger.warning("%d records of submits that never ended: %s", len(left), left[:5])
            await self._jobs.forget(left)

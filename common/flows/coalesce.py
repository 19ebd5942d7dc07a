"""Natural batching: what is asked of a server while calls to it are under way goes together in one.

There is no timer, so a lone call waits for nothing; the busier the server, the more goes into each
call.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from common import context
from common.domain.errors import (
    DeadlineAlreadyPast,
    DeadlineExceeded,
    InternalError,
    InvalidArgument,
    TaskQueueError,
)
from common.domain.job import MAX_BATCH_BYTES
from common.flows.waiters import Answer, Deadlines, Entry, SharedCall, Waiter

logger = logging.getLogger(__name__)

Carried_contra = TypeVar("Carried_contra", contravariant=True)
Answered_co = TypeVar("Answered_co", covariant=True)

UNDER_WAY = 1
"""Calls of one method of a server at a time."""
MAX_ENTRIES = 256
"""Entries of one call, unless a single waiter has more."""


class Carrier(Protocol[Carried_contra, Answered_co]):
    """One method of a server, called with any number of entries. ``name`` is the server's."""

    name: str

    def time_left(self) -> float:
        """Return the seconds that a call may take now. Raises ``DeadlineExceeded`` for none."""
        ...

    def size(self, entry: Carried_contra) -> int:
        """Return the bytes of an entry."""
        ...

    async def carry(self, entries: Sequence[Carried_contra]) -> Iterable[Answered_co]:
        """Make one call; returns an answer for each entry, in their order.

        Raises ``TaskQueueError``; ``InvalidArgument`` if nothing was done because one is wrong.
        """
        ...

    def waited(self, within: str, seconds: float) -> None:
        """Note how long someone waited for their answers, in the handling of a method."""
        ...


class Coalescer(Generic[Entry, Answer]):
    """Calls one method of a server for many who wait.

    Each who waits keeps a deadline, a correlation id and a cancellation of their own. A call that
    carries several has the longest of their deadlines; it is canceled once nobody waits for it.
    """

    def __init__(self, carrier: Carrier[Entry, Answer], under_way: int = UNDER_WAY) -> None:
        self._carrier = carrier
        self._most = under_way
        self._waiting: dict[Waiter[Entry, Answer], None] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._flushes = False
        # A call that carries several belongs to none of them: it is made in the process's context.
        self._context = contextvars.copy_context()
        self._deadlines: Deadlines[Entry, Answer] = Deadlines(self._expire, self._context)

    async def call(self, entries: Sequence[Entry]) -> list[Answer]:
        """Return the answers to ``entries``, which stay together.

        Raises ``TaskQueueError``: whatever the call that carried them came to;
        ``DeadlineExceeded`` if their own time ran out meanwhile, and ``DeadlineAlreadyPast``, which
        is definite, if it did so before they were sent.
        """
        if not entries:
            return []
        loop = asyncio.get_running_loop()
        left, answers = self._carrier.time_left(), loop.create_future()
        size = sum(map(self._carrier.size, entries))
        waiter: Waiter[Entry, Answer] = Waiter(entries, size, left, answers)
        self._waiting[waiter] = None
        if not self._flushes and len(self._calls) < self._most:
            # Not at once: those that were woken together with this one come along.
            self._flushes = True
            loop.call_soon(self._flush, context=self._context)
        self._deadlines.add(waiter)
        handling = context.handling()
        began = time.perf_counter()
        if handling is not None:
            handling.wait_begins(began)
        try:
            return await waiter.answers
        finally:
            ended = time.perf_counter()
            if handling is not None:
                handling.wait_ends(ended)
            self._carrier.waited(waiter.within, ended - began)
            self._leave(waiter)

    def _leave(self, waiter: Waiter[Entry, Answer]) -> None:
        """Let go of a waiter: unsent entries stay here, and a call for nobody is canceled."""
        self._deadlines.discard(waiter)
        self._waiting.pop(waiter, None)
        if waiter.call is not None:
            waiter.call.left -= 1
            if not waiter.call.left:
                waiter.call.task.cancel()

    def _expire(self, waiter: Waiter[Entry, Answer]) -> None:
        if not waiter.answers.done():
            sent = waiter.call is not None
            error = DeadlineExceeded(self._carrier.name) if sent else DeadlineAlreadyPast()
            waiter.answers.set_exception(error)

    def _flush(self) -> None:
        """Start calls for those who wait, as many as there may be."""
        self._flushes = False
        while self._waiting and len(self._calls) < self._most:
            self._start(self._take())

    def _take(self) -> list[Waiter[Entry, Answer]]:
        """Take from those who wait, the first first, as many as one call carries."""
        batch: list[Waiter[Entry, Answer]] = []
        entries = size = 0
        for waiter in self._waiting:
            entries += len(waiter.entries)
            size += waiter.size
            if batch and (entries > MAX_ENTRIES or size > MAX_BATCH_BYTES):
                break
            batch.append(waiter)
        for waiter in batch:
            del self._waiting[waiter]
        return batch

    def _start(self, batch: list[Waiter[Entry, Answer]]) -> None:
        task = asyncio.get_running_loop().create_task(
            self._serve(batch), context=self._context.copy()
        )
        call = SharedCall(task, len(batch))
        for waiter in batch:
            waiter.call = call
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._flush()

    async def _serve(self, batch: list[Waiter[Entry, Answer]]) -> None:
        """Make the call for a batch, and settle everyone in it.

        Those that were let go before it begins, unsent as they were answered, are not in it.
        """
        batch = [waiter for waiter in batch if not waiter.answers.done()]
        if not batch:
            return
        try:
            answers = await self._ask(batch)
        except InvalidArgument as error:
            await self._refused(batch, error)
        except TaskQueueError as error:
            for waiter in batch:
                waiter.fail(error)
        except Exception as defect:
            logger.exception("a call to %s met a defect", self._carrier.name)
            for waiter in batch:
                waiter.fail(InternalError(f"{self._carrier.name}: {defect!r}"))
        else:
            first = 0
            for waiter in batch:
                last = first + len(waiter.entries)
                waiter.succeed(answers[first:last])
                first = last

    async def _refused(self, batch: list[Waiter[Entry, Answer]], error: InvalidArgument) -> None:
        """Find out whose entry is wrong: that is not the others' fault. Nothing was done so far."""
        if len(batch) == 1:
            batch[0].fail(error)
            return
        half = len(batch) // 2
        await self._serve(batch[:half])
        await self._serve(batch[half:])

    async def _ask(self, batch: Sequence[Waiter[Entry, Answer]]) -> list[Answer]:
        entries = [entry for waiter in batch for entry in waiter.entries]
        left = max(waiter.ends for waiter in batch) - asyncio.get_running_loop().time()
        correlation = context.joined(waiter.correlation for waiter in batch)
        within = batch[0].within
        with context.call(correlation, left):
            context.handle(context.Handling(within) if within else None)
            answers = list(await self._carrier.carry(entries))
        if len(answers) != len(entries):
            raise InternalError(
                f"{self._carrier.name} gave {len(answers)} answers to {len(entries)} entries"
            )
        return answers

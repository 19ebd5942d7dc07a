"""Natural batching: what is asked of a peer while calls to it are under way goes together in one.

There is no timer, so a lone call waits for nothing; the busier the peer, the more goes into each
call. The internal messages carry repeated entries for this.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from google.protobuf.message import Message

from common import context
from common.domain.errors import (
    DeadlineAlreadyPast,
    DeadlineExceeded,
    InternalError,
    InvalidArgument,
    TaskQueueError,
)
from common.domain.job import MAX_BATCH_BYTES
from common.rpc import metadata
from common.rpc.channel import Peer
from common.rpc.outbound import Waits
from common.rpc.waiters import Answer, Deadlines, Entry, SharedCall, Waiter

logger = logging.getLogger(__name__)

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

UNDER_WAY = 1
"""Calls of one method of a peer at a time."""
MAX_ENTRIES = 256
"""Entries of one call, unless a single waiter has more."""


class Coalescer(Generic[Entry, Answer]):
    """Calls one method of a peer for many who wait.

    ``method`` is of a stub on the peer's channel, ``wrap`` puts entries into its request, and
    ``unwrap`` takes one answer for each of them, in their order, out of its response.

    Each who waits keeps a deadline, a correlation id and a cancellation of their own. A call that
    carries several has the longest of their deadlines; it is canceled once nobody waits for it.
    """

    def __init__(
        self,
        peer: Peer,
        method: Callable[..., Awaitable[Response]],
        wrap: Callable[[list[Entry]], Request],
        unwrap: Callable[[Response], Iterable[Answer]],
        under_way: int = UNDER_WAY,
    ) -> None:
        self._peer = peer
        self._method = method
        self._wrap = wrap
        self._unwrap = unwrap
        self._most = under_way
        self._waiting: dict[Waiter[Entry, Answer], None] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._flushes = False
        self._request: type[Message] | None = None
        self._waits: dict[str, Waits] = {}
        # A call that carries several belongs to none of them: it is made in the process's context.
        self._context = contextvars.copy_context()
        self._deadlines: Deadlines[Entry, Answer] = Deadlines(self._expire, self._context)

    async def call(self, entries: Sequence[Entry]) -> list[Answer]:
        """Return the answers to ``entries``, which stay together.

        Raises ``TaskQueueError`` as :meth:`Peer.call` does: whatever the call that carried them
        came to; ``DeadlineExceeded`` if their own time ran out meanwhile, and
        ``DeadlineAlreadyPast``, which is definite, if it did so before they were sent.
        """
        if not entries:
            return []
        loop = asyncio.get_running_loop()
        left, answers = self._peer.time_left(), loop.create_future()
        waiter: Waiter[Entry, Answer] = Waiter(entries, left, answers)
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
            self._count(waiter.within, ended - began)
            self._leave(waiter)

    def _count(self, within: str, seconds: float) -> None:
        """Count one who waited; nothing is known of a method that was never called."""
        if self._request is None:
            return
        waits = self._waits.get(within)
        if waits is None:
            waits = self._waits[within] = self._peer.waits(self._request, within)
        waits.ended(seconds)

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
            error = DeadlineExceeded(self._peer.name) if sent else DeadlineAlreadyPast()
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
            logger.exception("a call to %s met a defect", self._peer.name)
            for waiter in batch:
                waiter.fail(InternalError(f"{self._peer.name}: {defect!r}"))
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
        request = self._wrap(entries)
        left = max(waiter.ends for waiter in batch) - asyncio.get_running_loop().time()
        correlation = metadata.joined(waiter.correlation for waiter in batch)
        within = batch[0].within
        with context.call(correlation, left):
            context.handle(context.Handling(within) if within else None)
            self._request = type(request)
            self._peer.count_entries(self._request, len(entries))
            answers = list(self._unwrap(await self._peer.call(self._method, request)))
        if len(answers) != len(entries):
            raise InternalError(
                f"{self._peer.name} gave {len(answers)} answers to {len(entries)} entries"
            )
        return answers

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
    copy_of,
)
from common.domain.job import MAX_BATCH_BYTES
from common.rpc import metadata
from common.rpc.channel import Peer
from common.rpc.outbound import Waits

logger = logging.getLogger(__name__)

Entry = TypeVar("Entry", bound="Message | str")
Answer = TypeVar("Answer")
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
        self._waiting: dict[_Waiter[Entry, Answer], None] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._flushes = False
        self._request: type[Message] | None = None
        self._waits: dict[str, Waits] = {}
        # A call that carries several belongs to none of them: it is made in the process's context.
        self._context = contextvars.copy_context()

    async def call(self, entries: Sequence[Entry]) -> list[Answer]:
        """Return the answers to ``entries``, which stay together.

        Raises ``TaskQueueError`` as :meth:`Peer.call` does: whatever the call that carried them
        came to; ``DeadlineExceeded`` if their own time ran out meanwhile, and
        ``DeadlineAlreadyPast``, which is definite, if it did so before they were sent.
        """
        if not entries:
            return []
        loop = asyncio.get_running_loop()
        waiter = _Waiter[Entry, Answer](entries, self._peer.time_left(), loop.create_future())
        self._waiting[waiter] = None
        if not self._flushes and len(self._calls) < self._most:
            # Not at once: those that were woken together with this one come along.
            self._flushes = True
            loop.call_soon(self._flush, context=self._context)
        timer = loop.call_at(waiter.ends, self._expire, waiter, context=self._context)
        handling = context.handling()
        began = time.perf_counter()
        if handling is not None:
            handling.wait_begins(began)
        try:
            return await waiter.answers
        finally:
            timer.cancel()
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

    def _leave(self, waiter: _Waiter[Entry, Answer]) -> None:
        """Let go of a waiter: unsent entries stay here, and a call for nobody is canceled."""
        self._waiting.pop(waiter, None)
        if waiter.call is not None:
            waiter.call.left -= 1
            if not waiter.call.left:
                waiter.call.task.cancel()

    def _expire(self, waiter: _Waiter[Entry, Answer]) -> None:
        if not waiter.answers.done():
            sent = waiter.call is not None
            error = DeadlineExceeded(self._peer.name) if sent else DeadlineAlreadyPast()
            waiter.answers.set_exception(error)

    def _flush(self) -> None:
        """Start calls for those who wait, as many as there may be."""
        self._flushes = False
        while self._waiting and len(self._calls) < self._most:
            self._start(self._take())

    def _take(self) -> list[_Waiter[Entry, Answer]]:
        """Take from those who wait, the first first, as many as one call carries."""
        batch: list[_Waiter[Entry, Answer]] = []
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

    def _start(self, batch: list[_Waiter[Entry, Answer]]) -> None:
        task = asyncio.get_running_loop().create_task(
            self._serve(batch), context=self._context.copy()
        )
        call = _Call(task, len(batch))
        for waiter in batch:
            waiter.call = call
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._flush()

    async def _serve(self, batch: list[_Waiter[Entry, Answer]]) -> None:
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

    async def _refused(self, batch: list[_Waiter[Entry, Answer]], error: InvalidArgument) -> None:
        """Find out whose entry is wrong: that is not the others' fault. Nothing was done so far."""
        if len(batch) == 1:
            batch[0].fail(error)
            return
        half = len(batch) // 2
        await self._serve(batch[:half])
        await self._serve(batch[half:])

    async def _ask(self, batch: Sequence[_Waiter[Entry, Answer]]) -> list[Answer]:
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


class _Call:
    """A call under way, and how many still wait for it."""

    __slots__ = ("left", "task")

    def __init__(self, task: asyncio.Task[None], left: int) -> None:
        self.task = task
        self.left = left


class _Waiter(Generic[Entry, Answer]):
    """Someone who waits for the answers to some entries. ``ends`` is on the loop's clock."""

    __slots__ = ("answers", "call", "correlation", "ends", "entries", "size", "within")

    def __init__(
        self, entries: Sequence[Entry], left: float, answers: asyncio.Future[list[Answer]]
    ) -> None:
        handling = context.handling()
        self.entries = entries
        self.answers = answers
        self.ends = answers.get_loop().time() + left
        self.size = sum(map(_size, entries))
        self.correlation = context.correlation_id()
        self.within = handling.method if handling is not None else ""
        self.call: _Call | None = None

    def succeed(self, answers: list[Answer]) -> None:
        """Give the answers, unless nobody waits any more."""
        if not self.answers.done():
            self.answers.set_result(answers)

    def fail(self, error: TaskQueueError) -> None:
        """Give an error of one's own of the same kind, unless nobody waits any more."""
        if not self.answers.done():
            self.answers.set_exception(copy_of(error))


def _size(entry: Message | str) -> int:
    return len(entry) if isinstance(entry, str) else entry.ByteSize()

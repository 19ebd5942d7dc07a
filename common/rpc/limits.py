"""What bounds the calls that a process holds: how many, how late their messages, how large unread.

Each raises the ``TaskQueueError`` that its call is refused with. All belong to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from common.domain.errors import MessageNotReceived, Overloaded

# Calls that are open, their message on the way, for each one that may be worked on.
ARRIVING = 8
# An answer below this is not counted: as many of them as there may be calls do no harm.
LARGE_RESPONSE = 16 << 10
# The part of all answers that wait which one connection may hold up.
SHARE_OF_CONNECTION = 4

# Seconds between two checks for messages that are late.
CHECK_INTERVAL = 1.0


def once_answered(callback: Callable[[object], None]) -> None:
    """Call back when the answer of the call that this task handles has left, or never will.

    grpcio has a task for each call, which ends then. By its own ``add_done_callback`` a context
    comes to hold itself, and all of a call stays until the collector of cycles has found it.
    """
    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(callback)


class CallLimit:
    """Limits the calls of one sort in flight; ``name`` is the setting or constant that does."""

    def __init__(self, name: str, limit: int, process: str) -> None:
        self.name = name
        self.limit = limit
        self._process = process
        self.taken = 0

    def enter(self) -> None:
        """Take a place until the answer has left. Raises ``Overloaded`` if there is none."""
        if self.taken >= self.limit:
            raise Overloaded(self._process, f"{self.name} = {self.limit} calls are in flight")
        self.taken += 1
        once_answered(self._leave)

    def _leave(self, _call: object) -> None:
        self.taken -= 1


class UnreadResponses:
    """Limits the bytes of large responses that clients have not read yet, in all and by client."""

    def __init__(self, limit: int, process: str) -> None:
        self._limit = limit
        self._process = process
        self.waiting = 0
        self._by_client: Counter[str] = Counter()

    def hold(self, size: int, context: Any) -> None:
        """Count a response until it has left. Raises ``Overloaded`` if too much waits already."""
        if size < LARGE_RESPONSE:
            return
        client = context.peer()
        share = self._limit // SHARE_OF_CONNECTION
        if self.waiting + size > self._limit or self._by_client[client] + size > share:
            raise Overloaded(self._process, "the answers before this one are not read")
        self.waiting += size
        self._by_client[client] += size
        once_answered(lambda _: self._release(size, client))

    def _release(self, size: int, client: str) -> None:
        self.waiting -= size
        self._by_client[client] -= size
        if not self._by_client[client]:
            del self._by_client[client]


class PendingMessages:
    """Bounds how many calls wait for their message, and each of them how long.

    A context manager around the reading of it. Whichever has waited longest is checked once a
    second, instead of a timer for each call. Raises ``Overloaded`` on entering if :data:`ARRIVING`
    times the calls of ``calls`` wait already, ``MessageNotReceived`` after ``patience`` seconds, to
    the second.
    """

    def __init__(self, patience: float, calls: CallLimit, process: str) -> None:
        self._patience = patience
        self._calls = calls
        self._process = process
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        if len(self._waiting) >= ARRIVING * self._calls.limit:
            many = f"{ARRIVING} x {self._calls.name} = {ARRIVING * self._calls.limit}"
            raise Overloaded(self._process, f"{many} calls are in flight")
        self._waiting[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(CHECK_INTERVAL, self._give_up, loop)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._waiting.pop(task, None)
        if task in self._late:
            self._late.remove(task)
            if kind is asyncio.CancelledError and not task.uncancel():
                raise MessageNotReceived(f"no message came within {self._patience:g} s")

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel the reading of what is late; the rest came after it and is not."""
        latest = loop.time() - self._patience
        for task, since in list(self._waiting.items()):
            if since > latest:
                break
            del self._waiting[task]
            self._late.add(task)
            task.cancel()
        self._timer = (
            loop.call_later(CHECK_INTERVAL, self._give_up, loop) if self._waiting else None
        )

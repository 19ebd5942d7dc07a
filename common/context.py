"""What travels with a call: its correlation id, its caller and the time that it has left.

Set once where a call enters a process and read wherever it leaves again, so no signature in
between carries it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar, Token
from uuid import uuid4

_correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))
_caller: ContextVar[str] = ContextVar("caller", default="")


class Handling:
    """A call that this process answers, and how long its answer had to wait for peers.

    ``waited`` is in seconds; time in which several peers are asked at once counts once. ``caller``
    is empty until the caller is known and admitted. Belongs to one event loop.
    """

    __slots__ = ("_since", "_under_way", "caller", "method", "waited")

    def __init__(self, method: str) -> None:
        self.method = method
        self.caller = ""
        self.waited = 0.0
        self._under_way = 0
        self._since = 0.0

    def wait_begins(self, now: float) -> None:
        """A peer is asked; ``now`` in seconds on any clock that only rises."""
        if not self._under_way:
            self._since = now
        self._under_way += 1

    def wait_ends(self, now: float) -> None:
        """A peer has answered, or will not."""
        self._under_way -= 1
        if not self._under_way:
            self.waited += now - self._since


_handling: ContextVar[Handling | None] = ContextVar("handling", default=None)


def handling() -> Handling | None:
    """Return the call in whose handling this runs, ``None`` in work of the process's own."""
    return _handling.get()


def handle(what: Handling | None) -> Token[Handling | None]:
    """Enter the handling of a call, or with ``None`` leave it; :func:`unhandle` undoes it."""
    return _handling.set(what)


def unhandle(token: Token[Handling | None]) -> None:
    """Return to what was handled before."""
    _handling.reset(token)


def correlation_id() -> str:
    """Return the id that ties together all log lines of one client call; empty outside a call."""
    return _correlation_id.get()


def remaining(cap: float) -> float:
    """Return the seconds left of the call's deadline, at most ``cap``; not positive once past."""
    return min(cap, _deadline.get() - time.monotonic())


def caller() -> str:
    """Return the name under which the call came in; empty outside a call."""
    return _caller.get()


@contextlib.contextmanager
def call(
    correlation: str | None = None, timeout: float | None = None, caller: str = ""
) -> Iterator[None]:
    """Enter a call: ``timeout`` in seconds, a new correlation id unless one came along."""
    correlation_token = _correlation_id.set(correlation or uuid4().hex[:16])
    deadline_token = _deadline.set(
        time.monotonic() + (float("inf") if timeout is None else timeout)
    )
    caller_token = _caller.set(caller)
    try:
        yield
    finally:
        _correlation_id.reset(correlation_token)
        _deadline.reset(deadline_token)
        _caller.reset(caller_token)

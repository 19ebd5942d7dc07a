"""What travels with a call: its correlation id, its caller and the time that it has left.

Set once where a call enters a process and read wherever it leaves again, so no signature in
between carries it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from uuid import uuid4

_correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))
_caller: ContextVar[str] = ContextVar("caller", default="")


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

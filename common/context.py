"""What travels with a call: its correlation id, its caller and the time that it has left.

Set once where a call enters a process and read wherever it leaves again, so no signature in
between carries it. All of it is one variable of the context: a task has exactly one call.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from contextvars import ContextVar, Token

# A call between the processes of a stack may be for several calls of clients: it has all their ids.
MAX_CORRELATION_IDS = 4096


class Handling:
    """A call that this process answers, and how long its answer had to wait for others.

    ``waited`` is in seconds; time in which several are asked at once counts once. ``stored`` is the
    part of it in which the store was asked. ``caller`` is empty until the caller is known and
    admitted. Belongs to one event loop.
    """

    __slots__ = ("_since", "_under_way", "caller", "method", "stored", "waited")

    def __init__(self, method: str) -> None:
        self.method = method
        self.caller = ""
        self.waited = 0.0
        self.stored = 0.0
        self._under_way = 0
        self._since = 0.0

    def wait_begins(self, now: float) -> None:
        """Another server is asked; ``now`` in seconds on any clock that only rises."""
        if not self._under_way:
            self._since = now
        self._under_way += 1

    def wait_ends(self, now: float) -> None:
        """It has answered, or will not."""
        self._under_way -= 1
        if not self._under_way:
            self.waited += now - self._since


class Call:
    """What travels: ``deadline`` on the monotonic clock, ``handling`` if a call is answered.

    Never changed once it is made, so that whoever was begun within it keeps it.
    """

    __slots__ = ("caller", "correlation_id", "deadline", "handling")

    def __init__(
        self,
        correlation_id: str = "",
        deadline: float = float("inf"),
        caller: str = "",
        handling: Handling | None = None,
    ) -> None:
        self.correlation_id = correlation_id
        self.deadline = deadline
        self.caller = caller
        self.handling = handling


_current: ContextVar[Call] = ContextVar("call", default=Call())  # noqa: B039
_rng = random.Random()


def handling() -> Handling | None:
    """Return the call in whose handling this runs, ``None`` in work of the process's own."""
    return _current.get().handling


def handle(what: Handling | None) -> Token[Call]:
    """Enter the handling of a call, or with ``None`` leave it; :func:`unhandle` undoes it."""
    now = _current.get()
    return _current.set(Call(now.correlation_id, now.deadline, now.caller, what))


def unhandle(token: Token[Call]) -> None:
    """Return to what was handled before."""
    _current.reset(token)


def correlation_id() -> str:
    """Return the id that ties together all log lines of one client call; empty outside a call."""
    return _current.get().correlation_id


def remaining(cap: float) -> float:
    """Return the seconds left of the call's deadline, at most ``cap``; not positive once past."""
    return min(cap, _current.get().deadline - time.monotonic())


def caller() -> str:
    """Return the name under which the call came in; empty outside a call."""
    return _current.get().caller


class call:  # noqa: N801
    """Enter a call, as a context manager, within the handling of the one before.

    ``timeout`` in seconds; a new correlation id unless one came along. Not a generator: entering
    and leaving happens for every call, and costs a fifth of one.
    """

    __slots__ = ("_caller", "_correlation_id", "_timeout", "_token")

    def __init__(
        self, correlation: str | None = None, timeout: float | None = None, caller: str = ""
    ) -> None:
        # Ties log lines together and proves nothing, so any random number will do.
        self._correlation_id = correlation or f"{_rng.getrandbits(64):016x}"
        self._timeout = float("inf") if timeout is None else timeout
        self._caller = caller

    def __enter__(self) -> None:
        deadline = time.monotonic() + self._timeout
        handling = _current.get().handling
        self._token = _current.set(Call(self._correlation_id, deadline, self._caller, handling))

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


class asking_store:  # noqa: N801
    """Count the time within as one in which the call that is handled waits for the store."""

    __slots__ = ("_began", "_handling")

    def __enter__(self) -> None:
        self._handling = handling()
        self._began = time.perf_counter()
        if self._handling is not None:
            self._handling.wait_begins(self._began)

    def __exit__(self, *_: object) -> None:
        if self._handling is not None:
            now = time.perf_counter()
            self._handling.wait_ends(now)
            self._handling.stored += now - self._began


def joined(correlation_ids: Iterable[str]) -> str:
    """Return the correlation id of a call that is made for several: as many of theirs as fit."""
    ids = ",".join(dict.fromkeys(filter(None, correlation_ids)))
    if len(ids) <= MAX_CORRELATION_IDS:
        return ids
    return ids[: MAX_CORRELATION_IDS + 1].rpartition(",")[0]

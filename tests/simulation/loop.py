"""An event loop on virtual time, in which the code of a simulated process can be stopped."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any

PROCESS: ContextVar[Any] = ContextVar("simulated_process", default=None)
"""The process whose code runs; nothing in code of the simulation itself."""


class Freezer:
    """Stops the callbacks of a process and lets them go on, late, in the order they came due."""

    def __init__(self) -> None:
        self.frozen = False
        self._waiting: list[_Gate] = []

    def keep(self, gate: _Gate) -> None:
        """Put a callback aside until the thaw."""
        self._waiting.append(gate)

    def freeze(self) -> None:
        """Run nothing of the process from now on."""
        self.frozen = True

    def thaw(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go on."""
        self.frozen = False
        waiting, self._waiting = self._waiting, []
        for gate in waiting:
            loop.call_soon(gate, context=gate.context)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time stands still while anything is ready, then jumps to the next timer."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_NoWaiting(self))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._now

    def pass_time(self, seconds: float | None) -> None:
        """Jump; ``None`` means that nothing would ever happen again."""
        if seconds is None:
            raise RuntimeError("everything waits, for nothing")
        self._now += seconds

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is None or type(callback) is _Gate:
            return super().call_soon(callback, *args, context=context)
        gate = _Gate(process.freezer, callback, args, context or copy_context())
        gate.handle = super().call_soon(gate, context=gate.context)
        return gate.handle

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        gate = _Gate(process.freezer, callback, args, context or copy_context())
        timer = super().call_at(when, gate, context=gate.context)
        gate.handle = timer
        return timer


class _Gate:
    """A callback of a process, which waits while the process is frozen."""

    __slots__ = ("_args", "_callback", "_freezer", "context", "handle")

    def __init__(
        self,
        freezer: Freezer,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Context,
    ) -> None:
        self._freezer = freezer
        self._callback = callback
        self._args = args
        self.context = context
        self.handle: asyncio.Handle | None = None

    def __call__(self) -> None:
        if self._freezer.frozen:
            self._freezer.keep(self)
        elif self.handle is None or not self.handle.cancelled():
            self._callback(*self._args)


class _NoWaiting(selectors.SelectSelector):
    """Finds nothing to read, and instead of waiting lets the time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout > 0:
            self._loop.pass_time(timeout)
        return []

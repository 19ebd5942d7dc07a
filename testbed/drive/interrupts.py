"""Ctrl-C, SIGTERM and SIGHUP as one exception, held back while something must not be cut."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """The user, or the system, asked to stop."""


class Interrupts:
    """Raises :class:`Interrupted` in the main thread at the first signal, and only once.

    Within :meth:`shield` a signal is kept and raised when the outermost shield ends. Once one has
    been raised, further signals are passed to ``on_repeat``: the clean-up that it started goes on.
    """

    def __init__(self, on_repeat: Callable[[], None] = lambda: None) -> None:
        self._on_repeat = on_repeat
        self._shields = 0
        self._pending = False
        self._raised = False

    @property
    def happened(self) -> bool:
        """Whether a signal came."""
        return self._raised or self._pending

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals in here; the handlers from before come back afterwards."""
        before = {each: signal.signal(each, self._handle) for each in SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    @contextlib.contextmanager
    def shield(self) -> Iterator[None]:
        """Hold back signals until the end of this block."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        if self._pending and not self._shields:
            self._raise()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._raised or self._pending:
            self._on_repeat()
        elif self._shields:
            self._pending = True
        else:
            self._raise()

    def _raise(self) -> None:
        self._pending = False
        self._raised = True
        raise Interrupted

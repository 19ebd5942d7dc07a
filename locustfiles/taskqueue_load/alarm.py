"""Wakes a greenlet when a call is due, more exactly than the event loop's own timers do.

On Linux gevent's loop waits with ``epoll_wait``, whose timeout is in whole milliseconds and is
rounded up: a greenlet that sleeps wakes up to 1 ms late, 0.6 ms in the median, on an idle machine
too. A timer of the kernel (``timerfd``) has nanoseconds, and wakes the loop like a socket does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import time
from types import TracebackType
from typing import Self

import gevent

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK, _TFD_CLOEXEC = os.O_NONBLOCK, getattr(os, "O_CLOEXEC", 0)
_TFD_TIMER_ABSTIME = 1
_READ = 1
_NANOSECONDS = 10**9


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    """When a timer rings again (never, if zero), and when first."""

    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Waits for moments of the clock ``perf_counter``, one after the other.

    For one greenlet. Where there is no ``timerfd`` it sleeps, as exactly as the loop's timers are.
    Use it as a context manager, so that its file descriptor is closed.
    """

    def __init__(self) -> None:
        self._loop = gevent.get_hub().loop
        self._libc, self._file = _timer()
        self._watcher = None if self._file is None else self._loop.io(self._file, _READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._watcher is not None:
            self._watcher.close()
        if self._file is not None:
            os.close(self._file)

    @property
    def exact(self) -> bool:
        """Whether a timer of the kernel is used."""
        return self._watcher is not None

    def until(self, moment: float) -> None:
        """Wait until ``perf_counter`` says ``moment``; others run first even if it has passed."""
        if moment <= time.perf_counter():
            gevent.sleep(0)
        while (left := moment - time.perf_counter()) > 0:
            if self._watcher is None or not self._set(moment):
                gevent.sleep(left)
            else:
                gevent.get_hub().wait(self._watcher)

    def _set(self, moment: float) -> bool:
        """Have the timer ring at a moment; ``False`` if the kernel refuses.

        Setting it takes back what it rang for before, so nothing has to be read from it.
        """
        assert self._libc is not None
        seconds, part = divmod(round(moment * _NANOSECONDS), _NANOSECONDS)
        when = _Itimerspec(value=_Timespec(seconds, part))
        set_to = self._libc.timerfd_settime(
            self._file, _TFD_TIMER_ABSTIME, ctypes.byref(when), None
        )
        return bool(set_to == 0)


def _timer() -> tuple[ctypes.CDLL | None, int | None]:
    """Make a timer on the clock of ``perf_counter``; nothing where the system has none.

    Raises ``OSError`` if there is one, but no file descriptor is left for it.
    """
    if sys.platform != "linux":
        return None, None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        file = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
    except (OSError, AttributeError):
        return None, None
    if file >= 0:
        return libc, file
    code = ctypes.get_errno()
    if code in {errno.EMFILE, errno.ENFILE}:
        raise OSError(code, os.strerror(code))
    return None, None

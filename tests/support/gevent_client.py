"""The load generator's transport for tests that are not written for gevent: in a thread of its own.

Its channels have the shape of grpcio's, futures too, and may be used from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import Any

import gevent
from gevent.event import Event

from common.rpc.connect import MAX_MESSAGE_BYTES
from tests.unit.locustfiles.modules import load

room = load("transports.grpc_gevent")


def own_channel(address: str, **options: Any) -> Any:
    """Return a channel for the greenlets of this thread, with the limits of the project."""
    limits = {"largest_sent": MAX_MESSAGE_BYTES, "largest_received": MAX_MESSAGE_BYTES}
    return room.Channel(address, **{**limits, **options})


class _Thread:
    """A thread in which greenlets run."""

    def __init__(self) -> None:
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()

    def _run(self, started: threading.Event) -> None:
        self._loop: Any = gevent.get_hub().loop
        # Keeps the loop waiting while there is nothing to do.
        awake = self._loop.async_()
        awake.start(lambda: None)
        started.set()
        Event().wait()

    def start(self, work: Callable[[], Any]) -> Call:
        """Do something in a greenlet."""
        call = Call(self)
        self.schedule(lambda: call.begin(work))
        return call

    def schedule(self, act: Callable[[], object]) -> None:
        """Do something in the hub, which must not wait."""
        self._loop.run_callback_threadsafe(act)


class Call(Future[Any]):
    """A call in that thread, which may be waited for or canceled in any."""

    def __init__(self, thread: _Thread) -> None:
        super().__init__()
        self._own_thread = thread
        self._greenlet: Any = None

    def begin(self, work: Callable[[], Any]) -> None:
        """Begin, in the thread of the greenlets."""
        self._greenlet = gevent.spawn(self._work, work)

    def _work(self, work: Callable[[], Any]) -> None:
        try:
            self.set_result(work())
        except BaseException as error:
            self.set_exception(error)

    def cancel(self) -> bool:
        """Kill the greenlet that makes the call."""
        self._own_thread.schedule(lambda: self._greenlet.kill(block=False))
        return True


@cache
def _thread() -> _Thread:
    return _Thread()


class ThreadedChannel:
    """A channel that any thread may use."""

    def __init__(self, address: str) -> None:
        self._channel = _thread().start(lambda: own_channel(address)).result()

    def unary_unary(self, *arguments: Any, **options: Any) -> _Method:
        """Return a method."""
        return _Method(self._channel.unary_unary(*arguments, **options))

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        """Return what refuses to be called."""
        return self._channel.unary_stream(*arguments, **options)

    stream_unary = stream_stream = unary_stream

    def close(self) -> None:
        """Close it."""
        _thread().start(self._channel.close).result()


class _Method:
    def __init__(self, method: Any) -> None:
        self._method = method

    def __call__(self, request: Any, **options: Any) -> Any:
        return self.future(request, **options).result()

    def future(self, request: Any, **options: Any) -> Call:
        """Begin a call."""
        return _thread().start(lambda: self._method(request, **options))

"""Asks processes for their health, all at once, over ``grpc.health.v1``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from common.rpc import connect

SERVING = "SERVING"
NO_ANSWER = "no answer"
_TICK = 0.05
# A process that starts is asked ten times a second, not ever less.
_OPTIONS = (("grpc.max_reconnect_backoff_ms", 100),)


def check(addresses: Mapping[str, str], timeout: float) -> dict[str, str]:
    """Return the health of each of ``addresses`` (by name): a serving status or "no answer"."""
    found = dict.fromkeys(addresses, NO_ANSWER)
    with _questions(addresses) as (ask, answers):
        for name in addresses:
            ask(name, timeout, False)
        for _ in addresses:
            name, health = answers.get()
            found[name] = health
    return found


def wait_until_serving(
    addresses: Mapping[str, str],
    timeout: float,
    watch: Callable[[], None],
    ready: Callable[[str], None],
) -> list[str]:
    """Wait until all of ``addresses`` (by name) serve; return the names of those that do not.

    ``watch`` is called many times a second and may raise to end the wait, ``ready`` once for each
    name that serves. ``timeout`` is in seconds.
    """
    waiting = dict.fromkeys(addresses)
    serving: SimpleQueue[str] = SimpleQueue()
    stop = Event()
    # In a thread of its own: signals arrive in the main thread, and an exception that a handler
    # raises there inside of gRPC would be lost.
    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            asking = pool.submit(_ask_until_serving, addresses, timeout, serving, stop)
            while waiting:
                watch()
                was_last = asking.done()
                try:
                    name = serving.get(timeout=_TICK)
                except Empty:
                    if was_last:
                        break
                    continue
                del waiting[name]
                ready(name)
        finally:
            stop.set()
        asking.result()
    return list(waiting)


def _ask_until_serving(
    addresses: Mapping[str, str], timeout: float, serving: SimpleQueue[str], stop: Event
) -> None:
    """Put the name of each of ``addresses`` that serves; return after all, ``timeout`` or stop."""
    end = time.monotonic() + timeout
    missing = len(addresses)
    again: list[str] = []
    with _questions(addresses) as (ask, answers):
        for name in addresses:
            ask(name, timeout, True)
        while missing and (left := end - time.monotonic()) > 0 and not stop.is_set():
            try:
                name, health = answers.get(timeout=min(_TICK, left))
            except Empty:
                # Only after a quiet moment, so nobody who answers "not yet" is flooded.
                for name in again:
                    ask(name, left, True)
                again.clear()
                continue
            if health == SERVING:
                missing -= 1
                serving.put(name)
            else:
                again.append(name)


_Ask = Callable[[str, float, bool], None]


@contextmanager
def _questions(addresses: Mapping[str, str]) -> Iterator[tuple[_Ask, SimpleQueue[tuple[str, str]]]]:
    """Give ``ask(name, timeout, wait_for_ready)`` and the queue of (name, health) answers."""
    answers: SimpleQueue[tuple[str, str]] = SimpleQueue()
    with ExitStack() as channels:
        stubs = {
            name: health_pb2_grpc.HealthStub(
                channels.enter_context(connect.channel(address, _OPTIONS))
            )
            for name, address in addresses.items()
        }

        def ask(name: str, timeout: float, wait_for_ready: bool) -> None:
            call = stubs[name].Check.future(
                health_pb2.HealthCheckRequest(service=""),
                timeout=timeout,
                wait_for_ready=wait_for_ready,
            )
            call.add_done_callback(lambda done: answers.put((name, _health(done))))

        yield ask, answers


def _health(done: grpc.Future[Any]) -> str:
    if done.exception() is not None:
        return NO_ANSWER
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(done.result().status))

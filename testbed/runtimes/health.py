"""Asks processes for their health, all at once, over ``grpc.health.v1``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from queue import Empty, SimpleQueue
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVING = "SERVING"
NO_ANSWER = "no answer"
_TICK = 0.05
_OPTIONS = (
    # A process that starts is asked ten times a second, not after a second and then ever less.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.enable_http_proxy", 0),
)


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
    end = time.monotonic() + timeout
    waiting = dict.fromkeys(addresses)
    again: list[str] = []
    with _questions(addresses) as (ask, answers):
        for name in addresses:
            ask(name, timeout, True)
        while waiting and (left := end - time.monotonic()) > 0:
            watch()
            try:
                name, health = answers.get(timeout=min(_TICK, left))
            except Empty:
                # Only after a quiet moment, so nobody who answers "not yet" is flooded.
                for name in again:
                    ask(name, left, True)
                again.clear()
                continue
            if health == SERVING:
                del waiting[name]
                ready(name)
            else:
                again.append(name)
    return list(waiting)


_Ask = Callable[[str, float, bool], None]


@contextmanager
def _questions(addresses: Mapping[str, str]) -> Iterator[tuple[_Ask, SimpleQueue[tuple[str, str]]]]:
    """Give ``ask(name, timeout, wait_for_ready)`` and the queue of (name, health) answers."""
    answers: SimpleQueue[tuple[str, str]] = SimpleQueue()
    with ExitStack() as channels:
        stubs = {
            name: health_pb2_grpc.HealthStub(
                channels.enter_context(grpc.insecure_channel(address, _OPTIONS))
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

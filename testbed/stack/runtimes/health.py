"""Asks processes for their health, all at once: over ``grpc.health.v1`` or otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from common.process_spec import GRPC, Ready
from common.rpc import connect
from testbed.stack.ports import HOST
from testbed.stack.records import ProcessRecord
from testbed.stack.runtimes import probes

SERVING = "SERVING"
NO_ANSWER = "no answer"
_TICK = 0.05
# What is asked again and again is given up on after so many seconds each time.
_PROBE_TIMEOUT = 2.0
# A process that starts is asked ten times a second, not ever less.
_OPTIONS = (("grpc.max_reconnect_backoff_ms", 100),)


@dataclass(frozen=True)
class Server:
    """Somebody who can be asked: at ``address``, ``host:port``, in the way that ``ready`` says."""

    address: str
    ready: Ready = field(default_factory=Ready)

    @classmethod
    def of(cls, record: ProcessRecord) -> Server:
        """Return that of a process of a stack."""
        return cls(f"{HOST}:{record.port}", record.ready)


def check(servers: Mapping[str, Server], timeout: float) -> dict[str, str]:
    """Return the health of each of ``servers`` (by name): a serving status or "no answer"."""
    found = dict.fromkeys(servers, NO_ANSWER)
    with _questions(servers) as (ask, answers):
        for name in servers:
            ask(name, timeout, False)
        for _ in servers:
            name, health = answers.get()
            found[name] = health
    return found


def wait_until_serving(
    servers: Mapping[str, Server],
    timeout: float,
    watch: Callable[[], None],
    ready: Callable[[str], None],
) -> list[str]:
    """Wait until all of ``servers`` (by name) serve; return the names of those that do not.

    ``watch`` is called many times a second and may raise to end the wait, ``ready`` once for each
    name that serves. ``timeout`` is in seconds.
    """
    waiting = dict.fromkeys(servers)
    serving: SimpleQueue[str] = SimpleQueue()
    stop = Event()
    # In a thread of its own: signals arrive in the main thread, and an exception that a handler
    # raises there inside of gRPC would be lost.
    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            asking = pool.submit(_ask_until_serving, servers, timeout, serving, stop)
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
    servers: Mapping[str, Server], timeout: float, serving: SimpleQueue[str], stop: Event
) -> None:
    """Put the name of each of ``servers`` that serves; return after all, ``timeout`` or stop."""
    end = time.monotonic() + timeout
    missing = len(servers)
    again: list[str] = []
    with _questions(servers) as (ask, answers):
        for name in servers:
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
_Answers = SimpleQueue[tuple[str, str]]


@contextmanager
def _questions(servers: Mapping[str, Server]) -> Iterator[tuple[_Ask, _Answers]]:
    """Give ``ask(name, timeout, wait_for_ready)`` and the queue of (name, health) answers."""
    answers: _Answers = SimpleQueue()
    ours = {name: each for name, each in servers.items() if each.ready.how == GRPC}
    others = servers.keys() - ours.keys()
    with ExitStack() as opened:
        stubs = {
            name: health_pb2_grpc.HealthStub(
                opened.enter_context(connect.channel(each.address, _OPTIONS))
            )
            for name, each in ours.items()
        }
        pool = opened.enter_context(ThreadPoolExecutor(len(others))) if others else None

        def ask(name: str, timeout: float, wait_for_ready: bool) -> None:
            if name not in stubs:
                assert pool is not None
                pool.submit(_probe, name, servers[name], timeout, answers)
                return
            call = stubs[name].Check.future(
                health_pb2.HealthCheckRequest(service=""),
                timeout=timeout,
                wait_for_ready=wait_for_ready,
            )
            call.add_done_callback(lambda done: answers.put((name, _health(done))))

        yield ask, answers


def _probe(name: str, server: Server, timeout: float, answers: _Answers) -> None:
    """Put whether a server serves that has no health service."""
    serves = probes.serves(server.address, server.ready, min(timeout, _PROBE_TIMEOUT))
    answers.put((name, SERVING if serves else NO_ANSWER))


def _health(done: grpc.Future[Any]) -> str:
    if done.exception() is not None:
        return NO_ANSWER
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(done.result().status))

"""The network between simulated processes: it delays, loses, repeats and is cut, from a seed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Protocol

import grpc

from common import context as calls
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.simulation.loop import PROCESS, Freezer

Callback = Callable[..., object]


class Server(Protocol):
    """A process that can be called."""

    freezer: Freezer

    async def answer(self, path: str, request: Any, metadata: Any, limit: float) -> Any:
        """Handle one call: the response, or the ``AioRpcError`` that the caller is to see."""
        ...


@dataclass
class Link:
    """One direction between two processes."""

    cut: int = 0
    slow: float = 0.0


@dataclass
class Weather:
    """What happens to single messages: shares of them, and seconds.

    Of those that are ``repeated_late`` a second copy arrives after ``long`` seconds: when its
    sender has long given up, leases have run out and jobs have ended.
    """

    lost: float = 0.0
    repeated: float = 0.0
    late: float = 0.0
    latest: float = 0.5
    repeated_late: float = 0.0
    long: tuple[float, float] = (3.0, 18.0)


@dataclass(eq=False)
class _Flight:
    """A call under way."""

    caller: Any
    source: str
    target: str
    server: Server | None
    path: str
    request: Any
    metadata: Any
    timeout: float
    answer: asyncio.Future[Any]
    delay: float = 0.0
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)


class Network:
    """Carries calls by the name of the process that is called."""

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random) -> None:
        self._loop = loop
        self._random = random
        self._outside = Context()
        self._flights: dict[_Flight, None] = {}
        self.servers: dict[str, Server] = {}
        self.links: defaultdict[tuple[str, str], Link] = defaultdict(Link)
        self.weather = Weather()
        self.closed = False
        self.repeated_late = 0
        self.last_repeat = 0.0
        """When the last message arrives that is repeated late."""
        self.defects: list[str] = []

    async def call(
        self, source: str, target: str, path: str, request: Any, limit: float, metadata: Any
    ) -> Any:
        """Make a call, in ``limit`` seconds. Raises ``AioRpcError`` as a gRPC channel would."""
        if self.closed:
            raise failure(grpc.StatusCode.UNAVAILABLE, "the simulation is over")
        caller = PROCESS.get()
        if caller is not None and limit > calls.remaining(limit) + 1e-6:
            self.defects.append(f"{source} gives {path} more time than its own caller has left")
        server = self.servers.get(target)
        answer = self._loop.create_future()
        flight = _Flight(caller, source, target, server, path, request, metadata, limit, answer)
        self._flights[flight] = None
        self._depart(flight)
        try:
            async with asyncio.timeout(limit):
                response = await answer
        except TimeoutError:
            raise failure(grpc.StatusCode.DEADLINE_EXCEEDED, "") from None
        finally:
            del self._flights[flight]
            self._abandon(flight)
        if isinstance(response, grpc.aio.AioRpcError):
            raise response
        return response

    def later(self, seconds: float, callback: Callback, *args: Any) -> None:
        """Call back from outside of all processes."""
        self._loop.call_later(seconds, callback, *args, context=self._outside)

    def died(self, server: Server) -> None:
        """Break all connections of a process that exited."""
        for flight in list(self._flights):
            if flight.server is server:
                self._refuse(flight)
            if flight.caller is server:
                self._abandon(flight)

    def _depart(self, flight: _Flight) -> None:
        link = self.links[flight.source, flight.target]
        flight.delay = self._delay(link)
        if flight.server is None:
            self._refuse(flight)
        elif link.cut or self._random.random() < self.weather.lost:
            self._lose(flight)
        else:
            self.later(flight.delay, self._arrive, flight)
            if self._random.random() < self.weather.repeated and _repeatable(flight.request):
                self.later(flight.delay + self._delay(link), self._arrive, flight)
            self._repeat_late(flight)

    def _repeat_late(self, flight: _Flight) -> None:
        share = self.weather.repeated_late
        if share and self._random.random() < share and _repeatable(flight.request):
            after = self._random.uniform(*self.weather.long)
            self.repeated_late += 1
            self.last_repeat = max(self.last_repeat, self._loop.time() + after)
            self.later(after, self._arrive, flight)

    def _arrive(self, flight: _Flight) -> None:
        server = flight.server
        if server is None or self.servers.get(flight.target) is not server:
            self._refuse(flight)
            return
        if self.links[flight.source, flight.target].cut:
            self._lose(flight)
            return
        context = Context()
        context.run(PROCESS.set, server)
        task = self._loop.create_task(
            server.answer(flight.path, flight.request, flight.metadata, flight.timeout),
            context=context,
        )
        task.add_done_callback(partial(self._answered, flight), context=self._outside)
        flight.tasks.append(task)
        self.later(flight.timeout, task.cancel)

    def _answered(self, flight: _Flight, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            return
        link = self.links[flight.target, flight.source]
        if link.cut or self._random.random() < self.weather.lost:
            self._lose(flight)
        else:
            self.later(self._delay(link), _settle, flight.answer, task.result())

    def _abandon(self, flight: _Flight) -> None:
        """Notify the callee that nobody waits any more, unless it cannot be reached."""
        if not self.links[flight.source, flight.target].cut:
            for task in flight.tasks:
                if not task.done():
                    self.later(flight.delay, task.cancel)

    def _refuse(self, flight: _Flight) -> None:
        refusal = failure(grpc.StatusCode.UNAVAILABLE, "connection refused or reset")
        cut = self.links[flight.target, flight.source].cut
        if not cut:
            self.later(0.001, _settle, flight.answer, refusal)

    def _lose(self, flight: _Flight) -> None:
        """Lose a message: the caller finds the connection broken, or gets nothing at all."""
        if self._random.random() < 0.5:
            broken = failure(grpc.StatusCode.UNAVAILABLE, "the connection broke")
            self.later(self._random.uniform(0, 0.5), _settle, flight.answer, broken)

    def _delay(self, link: Link) -> float:
        delay = self._random.uniform(0.0002, 0.002)
        if link.slow:
            delay += self._random.uniform(0, link.slow)
        if self.weather.late and self._random.random() < self.weather.late:
            delay += self._random.uniform(0, self.weather.latest)
        return delay


class SimulatedChannel:
    """Stands in for a gRPC channel under a generated stub."""

    def __init__(self, network: Network, source: str, target: str) -> None:
        self._network = network
        self._source = source
        self._target = target

    def unary_unary(self, path: str, *_: Any, **__: Any) -> Any:
        """Return what calls one method."""

        async def call(request: Any, timeout: float, metadata: Any = ()) -> Any:  # noqa: ASYNC109
            return await self._network.call(
                self._source, self._target, path, request, timeout, metadata
            )

        return call

    async def close(self) -> None:
        """Nothing to close."""


def failure(code: grpc.StatusCode, details: str, metadata: Any = ()) -> grpc.aio.AioRpcError:
    """Return the error of a failed call."""
    return grpc.aio.AioRpcError(
        code, grpc.aio.Metadata(), grpc.aio.Metadata(*metadata), details=details
    )


def _settle(answer: asyncio.Future[Any], value: Any) -> None:
    if not answer.done():
        answer.set_result(value)


def _repeatable(request: Any) -> bool:
    """Whether a repeat asks for nothing new.

    A client's submit without a request id asks for a job of its own each time.
    """
    return not isinstance(request, pb.SubmitJobRequest) or bool(request.request_id)

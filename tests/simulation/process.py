"""A simulated process: what a design's ``assemble`` expects of one, without ports and threads."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from random import Random
from typing import Any
from unittest.mock import patch

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from prometheus_client import CollectorRegistry

from common import context as calls
from common.config import Settings
from common.domain.errors import DeadlineAlreadyPast, InternalError, Stopping, TaskQueueError
from common.domain.ids import BOOT_LIMIT, IdMint
from common.flows.background import Background
from common.rpc import callers, metadata, status
from common.rpc.channel import Peer
from common.rpc.outbound import ClientMetrics
from tests.simulation.loop import PROCESS, Freezer
from tests.simulation.network import Network, SimulatedChannel, failure

EPOCH = 1_700_000_000_000_000
"""Microseconds of the simulated wall clock at virtual time 0."""


class VirtualClock:
    """The clock of a process: the loop's time, off by ``skew`` seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, skew: float) -> None:
        self._loop = loop
        self._skew = skew

    def now(self) -> int:
        return EPOCH + int((self._loop.time() + self._skew) * 1_000_000)


class SimulatedProcess:
    """One incarnation of a process, from its start to its end."""

    def __init__(
        self, settings: Settings, network: Network, random: Random, defects: list[str]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.settings = settings
        self.clock = VirtualClock(loop, random.uniform(-1, 1))
        self.background = Background()
        self.registry = CollectorRegistry()
        self.freezer = Freezer()
        self.tasks: list[asyncio.Task[None]] = []
        self._network = network
        self._random = random
        self._defects = defects
        self._client_metrics = ClientMetrics(self.registry)
        self._allowed = dict(callers.ALLOWED)
        self._refused: frozenset[str] = frozenset()
        self._handlers: dict[str, Callable[[Any, Any], Any]] = {}
        self._beside: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._stops: list[Callable[[], Any]] = []
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._context = Context()
        self._context.run(PROCESS.set, self)

    # What a design's wiring calls

    def mint(self, home: int = 0) -> IdMint:
        return IdMint(home, self._random.randrange(BOOT_LIMIT))

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Forget it: what ends here has nothing to close."""

    def connect(self, name: str, caller: str) -> Peer:
        return self.connect_at(name, "", caller)

    def connect_at(self, name: str, address: str, caller: str) -> Peer:
        channel = SimulatedChannel(self._network, self.settings.name, name)
        cap = self.settings.default_deadline
        with patch.object(grpc.aio, "insecure_channel", return_value=channel):
            return Peer(name, "", caller, cap, self._client_metrics)

    def serve(self, service: ServiceDescriptor, add: Any, servicer: Any) -> None:
        for method in service.methods:
            path = f"/{service.full_name}/{method.name}"
            self._handlers[path] = getattr(servicer, method.name)

    def admit(self, caller: str, methods: frozenset[str]) -> None:
        self._allowed[caller] = methods

    def run_beside(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._beside.append(work)

    def before_stop(self, stop: Callable[[], Any]) -> None:
        self._stops.append(stop)

    # What the simulation calls

    def start(self, assemble: Callable[[Any], None]) -> None:
        """Assemble and serve."""
        self._context.run(assemble, self)
        self._network.servers[self.settings.name] = self
        for work in self._beside:
            self.tasks.append(self._begin(work()))
            self.tasks[-1].add_done_callback(self._ended)

    def kill(self) -> None:
        """End at once: nothing of it runs any more, all connections break."""
        self.freezer.freeze()
        if self._network.servers.get(self.settings.name) is self:
            del self._network.servers[self.settings.name]
        self._network.died(self)

    async def stop(self) -> None:
        """Stop gracefully, in the steps of ``common.rpc.process.Process``."""
        await self._begin(self._stop())
        self.kill()

    async def _stop(self) -> None:
        self._refused = callers.BEGIN_WORK
        for stop in self._stops:
            stopping = stop()
            if inspect.isawaitable(stopping):
                await stopping
        del self._network.servers[self.settings.name]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self.settings.stop_grace)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.background.drain()

    async def answer(self, path: str, request: Any, pairs: Any, limit: float) -> Any:
        """Handle one call as ``CallInterceptor`` does."""
        self._in_flight += 1
        self._idle.clear()
        try:
            return await self._handle(path, request, metadata.of(pairs), limit)
        except TaskQueueError as error:
            return _refusal(error)
        except Exception as error:
            self._defects.append(f"{self.settings.name}: {path}: {error!r}")
            return _refusal(InternalError(repr(error)))
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def _handle(self, path: str, request: Any, pairs: dict[str, str], limit: float) -> Any:
        caller = pairs.get(metadata.CALLER, callers.CLIENT)
        with calls.call(pairs.get(metadata.CORRELATION_ID, ""), limit, caller):
            callers.check(caller, path, self._allowed)
            if limit <= 0:
                raise DeadlineAlreadyPast
            if path in self._refused:
                raise Stopping(self.settings.name)
            return await self._handlers[path](request, None)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work, context=self._context.copy())

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._defects.append(f"{self.settings.name} failed: {error!r}")


def _refusal(error: TaskQueueError) -> grpc.aio.AioRpcError:
    wire = status.to_grpc(error)
    return failure(wire.code, wire.details, wire.trailing_metadata)

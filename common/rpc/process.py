"""One process of a design: what every one of them has, from settings to a graceful stop.

A design's entry point is ``run(assemble)``, where ``assemble`` builds owners and servicers and
hands them to the :class:`Process`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import grpc
import uvloop
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2_grpc
from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

from common import logs
from common.clock import SystemClock
from common.config import SECRET_VARIABLE, ConfigError, Settings
from common.domain.ids import BOOT_LIMIT, IdMint
from common.flows.background import Background
from common.rpc import accounting, callers, identity
from common.rpc.admission import Admission
from common.rpc.channel import Peer
from common.rpc.inbound import ServerMetrics
from common.rpc.interceptors import CallInterceptor
from common.rpc.outbound import ClientMetrics
from common.rpc.readiness import Readiness
from common.rpc.reflect import reflecting
from common.rpc.server import Add, Server

logger = logging.getLogger(__name__)

S = TypeVar("S")
Beside = Callable[[], Coroutine[Any, Any, None]]
# Seconds for answers that are written and not yet sent.
LAST_ANSWERS = 0.1


class Process:
    """Settings, clock, metrics registry and gRPC server of one process. Made on a running loop.

    Raises ``ConfigError`` for a secret of the stack that cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.background = Background()
        # The times at which series began mean nothing here and make the page a third longer.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.port = 0
        for collector in (GCCollector, PlatformCollector, ProcessCollector):
            collector(registry=self.registry)
        identity.expose(settings, self.registry)
        accounting.expose(self.registry)
        self._count_tasks()
        self._servicers: list[tuple[ServiceDescriptor, Add]] = []
        self._client_metrics = ClientMetrics(self.registry)
        self._allowed = dict(callers.ALLOWED)
        self._secret = settings.read_secret()
        self._beside: list[Beside] = []
        self._stops: list[Callable[[], Awaitable[None] | None]] = []
        self._readiness = Readiness()
        self._closes: list[Callable[[], Awaitable[None]]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def _count_tasks(self) -> None:
        """Show how many tasks there are: what starts them and forgets them shows up here."""
        loop = asyncio.get_running_loop()
        gauge = Gauge(
            "taskqueue_tasks", "Tasks of the event loop that have not ended", registry=self.registry
        )
        gauge.set_function(lambda: len(asyncio.all_tasks(loop)))

    def mint(self, home: int = 0) -> IdMint:
        """Make the source of the ids that this process gives out."""
        return IdMint(home, secrets.randbelow(BOOT_LIMIT))

    def serve_while(
        self, refresh: Callable[[], Awaitable[None]], on_ready: Callable[[bool], None]
    ) -> None:
        """Serve only while ``refresh`` succeeds, which is called once a second; see ``Readiness``.

        ``on_ready`` gets whether it does.
        """
        self._readiness.wait()
        self.run_beside(partial(self._readiness.watch, refresh, on_ready))

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call ``close`` last, once nothing is under way any more."""
        self._closes.append(close)

    def connect(self, name: str, caller: str) -> Peer:
        """Connect to a peer of the settings as ``caller``.

        Raises ``ConfigError`` without one, and without a secret of the stack.
        """
        if name not in self.settings.peers:
            raise ConfigError(f"TASKQUEUE_PEERS does not name {name!r}")
        return self.connect_at(name, self.settings.peers[name], caller)

    def connect_at(self, name: str, address: str, caller: str) -> Peer:
        """Connect as ``caller`` to a process at ``host:port``, until this one stops.

        Raises ``ConfigError`` without a secret of the stack.
        """
        self._require_secret()
        deadline = self.settings.default_deadline
        peer = Peer(name, address, caller, deadline, self._client_metrics, self._secret)
        self._closes.append(peer.close)
        return peer

    def serve(
        self, service: ServiceDescriptor, add: Callable[[S, grpc.aio.Server], None], servicer: S
    ) -> None:
        """Serve a service: its descriptor, the generated ``add_…_to_server`` and the servicer."""
        self._servicers.append((service, lambda server: add(servicer, server)))

    def admit(self, caller: str, methods: frozenset[str]) -> None:
        """Let a caller in that only this design has, for these methods (full gRPC paths)."""
        self._allowed[caller] = methods

    def run_beside(self, work: Beside) -> None:
        """Run ``work`` from start to stop; if it fails, so does the process."""
        self._beside.append(work)

    def before_stop(self, stop: Callable[[], Awaitable[None] | None]) -> None:
        """Call ``stop`` once health is off and before the server refuses calls."""
        self._stops.append(stop)

    async def start(self) -> None:
        """Serve. Raises ``ConfigError`` if a port cannot be had, or a secret is needed."""
        settings = self.settings
        paths = [
            f"/{service.full_name}/{method.name}"
            for service, _ in self._servicers
            for method in service.methods
        ]
        if not self._allowed[callers.CLIENT].issuperset(paths):
            self._require_secret()
        self._calls = CallInterceptor(
            settings.default_deadline, self._allowed, settings.name, self._secret
        )
        names = ["", *(service.full_name for service, _ in self._servicers)]
        metrics = ServerMetrics(self.registry, paths)
        interceptors = [Admission(settings, metrics, self.registry), self._calls]
        self._server = Server(settings, interceptors, [*self._adds(), reflecting(names[1:])])
        self._bind()
        await self._server.start()
        beside = [*self._beside, self._server.keep_serving]
        self.tasks = [asyncio.create_task(work()) for work in beside]
        await self._readiness.start(names)
        logger.info("%s serves on %s, process %d", settings.name, settings.listen, os.getpid())

    async def stop(self) -> None:
        """Stop gracefully: no new work, health off, calls in flight answered, then the rest."""
        logger.info("%s stops", self.settings.name)
        self._calls.refuse(callers.BEGIN_WORK)
        await self._readiness.stop()
        for stop in self._stops:
            stopping = stop()
            if stopping is not None:
                await stopping
        await self._stop_serving()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.background.drain()
        for close in self._closes:
            await close()
        self._metrics.shutdown()
        self._metrics.server_close()

    async def _stop_serving(self) -> None:
        """Refuse calls, answer those in flight, then cut what never ends by itself."""
        stopping = asyncio.create_task(self._server.stop(self.settings.stop_grace))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._calls.drain(), self.settings.stop_grace)
        await self._server.stop(LAST_ANSWERS)
        await stopping

    def _require_secret(self) -> None:
        if not self._secret:
            raise ConfigError(
                f"{SECRET_VARIABLE} is missing: it names a file with the secret by which the "
                "processes of a stack know each other; `testbed up` makes one"
            )

    def _adds(self) -> list[Add]:
        """What adds each servicer to a server, that of health included."""
        return [
            *(add for _, add in self._servicers),
            lambda server: health_pb2_grpc.add_HealthServicer_to_server(
                self._readiness.servicer, server
            ),
        ]

    def _bind(self) -> None:
        settings = self.settings
        self._server.bind()
        self.port = self._server.port
        host, _, port = settings.metrics.rpartition(":")
        try:
            self._metrics, _ = start_http_server(int(port), host, self.registry)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot serve metrics on {settings.metrics}: {error}") from error


def run(assemble: Callable[[Process], None]) -> None:
    """Be the process that the environment describes, until SIGTERM or SIGINT.

    Exits with code 2 and a message if the configuration is wrong or a port is taken.
    """
    try:
        settings = Settings.from_environment(os.environ)
        logs.configure(settings.name, settings.log_level)
        uvloop.run(_serve(assemble, settings))
    except ConfigError as error:
        sys.stderr.write(f"configuration: {error}\n")
        sys.exit(2)


async def _serve(assemble: Callable[[Process], None], settings: Settings) -> None:
    process = Process(settings)
    assemble(process)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await process.start()
    # What there is now stays: the collector of cycles need not go through it again and again.
    gc.collect()
    gc.freeze()
    waiting = asyncio.create_task(stop.wait())
    ended, _ = await asyncio.wait([waiting, *process.tasks], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await process.stop()
    for task in ended - {waiting}:
        task.result()

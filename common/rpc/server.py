"""The gRPC server of a process: its options, its port, and that it goes on serving.

The loop of grpcio that takes calls can end, as that of 1.85 does at a path that is no UTF-8: the
port closes and the process lives on without it. So the server is watched, and made anew on the
same port; the state is in the servicers and is not touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

import grpc

from common.config import ConfigError, Settings
from common.rpc.admission import MAX_CHECKS, MAX_STREAMS
from common.rpc.channel import SERVER_OPTIONS

logger = logging.getLogger(__name__)

# Seconds between two checks of whether the server still takes calls. grpcio raises no event for it:
# it ends the wait without a limit once all calls have ended, and a watch of health never does.
WATCH = 1.0
# Seconds between two attempts to bind.
PAUSE = 0.2
# Calls that a method may have waiting in the core, as a multiple of those that we take.
PENDING = 4
# How often a port that was ours is tried again before the process gives up.
BIND_ATTEMPTS = 50

Add = Callable[[grpc.aio.Server], None]


def options_of(settings: Settings) -> tuple[tuple[str, int], ...]:
    """Return the options of a server."""
    pending = PENDING * settings.max_concurrent_calls
    return (
        *SERVER_OPTIONS,
        # Above our own limit, so that a call is refused with a reason and never waits for room.
        ("grpc.max_concurrent_streams", 2 * settings.max_concurrent_calls),
        # What waits for Python to handle it; the core cancels calls beyond that without a reason.
        ("grpc.server.max_pending_requests", pending),
        ("grpc.server.max_pending_requests_hard_limit", pending),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.max_connection_idle_ms", int(settings.connection_idle * 1000)),
    )


class Server:
    """Serves what ``adds`` add, behind ``interceptors``, at the address in the settings."""

    def __init__(
        self,
        settings: Settings,
        interceptors: Sequence[grpc.aio.ServerInterceptor],
        adds: Sequence[Add],
    ) -> None:
        self._settings = settings
        self._interceptors = interceptors
        self._adds = adds
        self._stopping = False
        self._server = self._make()
        self.port = 0

    def bind(self) -> None:
        """Take the port. Raises ``ConfigError`` if it cannot be had."""
        host, _, port = self._settings.listen.rpartition(":")
        try:
            self.port = self._server.add_insecure_port(f"{host}:{self.port or port}")
        except RuntimeError as error:
            listen = self._settings.listen
            raise ConfigError(f"cannot listen on {listen}: is it taken?") from error

    async def start(self) -> None:
        """Take calls, once bound."""
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Refuse new calls and end those in flight after ``grace`` seconds."""
        self._stopping = True
        await self._server.stop(grace)

    async def keep_serving(self) -> None:
        """Until stopped: replace a server that has failed."""
        while not self._stopping:
            try:
                await self._server.wait_for_termination(WATCH)
            except Exception as error:
                if self._stopping:
                    return
                logger.error("the server failed, a new one takes its place: %r", error)
                await self._replace()

    async def _replace(self) -> None:
        await self._server.stop(0)
        for attempt in range(BIND_ATTEMPTS):
            self._server = self._make()
            with contextlib.suppress(ConfigError):
                self.bind()
                break
            logger.warning("the port is not free yet, attempt %d", attempt + 1)
            await asyncio.sleep(PAUSE)
        else:
            raise ConfigError(f"port {self.port} was lost")
        await self._server.start()

    def _make(self) -> grpc.aio.Server:
        settings = self._settings
        server = grpc.aio.server(
            interceptors=self._interceptors,
            options=options_of(settings),
            # Ours are lower; this bounds what is being refused at one moment.
            maximum_concurrent_rpcs=2 * (settings.max_concurrent_calls + MAX_CHECKS + MAX_STREAMS),
        )
        for add in self._adds:
            add(server)
        return server

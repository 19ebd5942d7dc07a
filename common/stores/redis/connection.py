"""A connection to Redis whose failures are errors of the task queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from common.domain.errors import StoreFull, StoreUnreachable, StoreUnready, TaskQueueError
from common.stores.redis import scripts

CONNECTIONS = 16
SECONDS = 5.0
"""How long Redis may take for an answer, unless the caller has less time."""

_FULL = (exceptions.OutOfMemoryError,)
# Redis says so before it begins.
_DEFINITE = (
    exceptions.BusyLoadingError,
    exceptions.ReadOnlyError,
    exceptions.MaxConnectionsError,
    exceptions.AuthenticationError,
)
_REFUSALS = ("MISCONF", "NOREPLICAS", "BUSY", "MASTERDOWN", "CLUSTERDOWN")


class Connection:
    """Runs scripts at ``address``, a ``host:port``; ``name`` is that of the store in errors."""

    def __init__(self, name: str, address: str, named: Mapping[str, tuple[str, ...]]) -> None:
        host, _, port = address.rpartition(":")
        self._name = name
        pool = BlockingConnectionPool(
            host=host,
            port=int(port),
            max_connections=CONNECTIONS,
            timeout=SECONDS,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            # What is sent twice may happen twice.
            retry=Retry(NoBackoff(), 0),
        )
        self.redis = Redis.from_pool(pool)
        self._scripts: Mapping[str, Any] = scripts.load(self.redis, named.items())

    async def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script answers. Raises ``TaskQueueError``."""
        try:
            return await self._scripts[script](args=arguments)
        except exceptions.RedisError as error:
            raise self.translated(error) from error

    async def time(self) -> tuple[int, int]:
        """Return the server's time, seconds and microseconds. Raises ``TaskQueueError``."""
        try:
            answer: tuple[int, int] = await self.redis.time()
        except exceptions.RedisError as error:
            raise self.translated(error) from error
        return answer

    def translated(self, error: exceptions.RedisError) -> TaskQueueError:
        """Return the error of the task queue for one of Redis."""
        if isinstance(error, _FULL):
            return StoreFull(self._name, str(error))
        refused = isinstance(error, _DEFINITE) or str(error).startswith(_REFUSALS)
        kind = StoreUnready if refused else StoreUnreachable
        return kind(self._name, str(error) or type(error).__name__)

    async def close(self) -> None:
        """Close all connections."""
        await self.redis.aclose()

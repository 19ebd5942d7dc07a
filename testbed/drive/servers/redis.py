"""What a Redis says of itself, by INFO, over a connection that is kept open."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionEnded

from testbed.drive.servers.page import line

MEMORY = "redis_memory_bytes"
BLOCKED = "redis_blocked_clients"
CLIENTS = "redis_clients"
COMMANDS = "redis_commands_total"
AOF = "redis_aof_bytes"
DELAYED = "redis_aof_delayed_fsyncs_total"
WRITES = "redis_aof_writes_succeed"
EVICTED = "redis_evicted_keys_total"
REJECTED = "redis_rejected_connections_total"
REFUSED = "redis_error_replies_total"
FORK = "redis_latest_fork_seconds"
# Of one of several copies: whether it takes itself for the primary, and how many follow it.
PRIMARY = "redis_is_primary"
REPLICAS = "redis_replicas"

# It gives a connection up by itself, before who asks it gives up.
_SOONER = 0.8
# What INFO calls them.
_FIELDS = {
    MEMORY: "used_memory",
    BLOCKED: "blocked_clients",
    CLIENTS: "connected_clients",
    COMMANDS: "total_commands_processed",
    AOF: "aof_current_size",
    DELAYED: "aof_delayed_fsync",
    EVICTED: "evicted_keys",
    REJECTED: "rejected_connections",
    REFUSED: "total_error_replies",
    REPLICAS: "connected_slaves",
}


class RedisAsked:
    """Asks a Redis at a port of a host. An answer may take ``within`` seconds."""

    def __init__(self, host: str, port: int, within: float) -> None:
        self._redis = Redis(
            host=host,
            port=port,
            socket_timeout=within * _SOONER,
            socket_connect_timeout=within * _SOONER,
            # One whose connection was ended answers over another one.
            retry=Retry(NoBackoff(), 1, (ConnectionEnded,)),
            single_connection_client=True,
            client_name="testbed-watch",
        )

    async def page(self) -> str:
        """Return the page of now."""
        info = await self._redis.info("everything")
        # One that keeps no files says nothing of them.
        known = {name: info[field] for name, field in _FIELDS.items() if field in info}
        lines = [line(name, float(value)) for name, value in known.items()]
        lines.append(line(WRITES, info.get("aof_last_write_status", "ok") == "ok"))
        lines.append(line(PRIMARY, info.get("role") == "master"))
        lines.append(line(FORK, float(info.get("latest_fork_usec", 0)) / 1e6))
        return "\n".join(lines)

    async def close(self) -> None:
        """Give up the connection; the next question opens another one."""
        await self._redis.aclose()

"""Servers of Redis: one that keeps what it holds on disk, its copies, one that keeps nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from common.process_spec import COMMAND, DISK, REDIS, REDIS_CACHE, Image, ProcessSpec, Ready
from common.services.scripts import shell

IMAGE = "redis:8"
CACHE_BYTES = 64 << 20
"""How much memory one node of a cache uses."""
NEEDS = {
    "redis-server": "it is in Debian's package redis-server",
    "redis-cli": "it is in Debian's package redis-tools",
}
# As a server of its own sees it: it answers.
READY = Ready(COMMAND, command=("redis-cli", "-h", "{host}", "-p", "{port}", "ping"))
# Within a stack nobody has a password, and a container is called by its address.
_OPEN = ("--protected-mode", "no")
# For `testbed fault`, and for who is in the same machine or container alone.
_DEBUG = ("--enable-debug-command", "local")
HOSTS = "hosts.sh"
"""The script for servers that stand still while they look up a name."""
MAX_LAG = 2
"""Seconds after which a silent replica no longer counts as one; they report once a second."""


def server(name: str, port: int) -> ProcessSpec:
    """Return a Redis that writes every change to its append-only file before it answers.

    When that file is forced to the disk is ``{redis_fsync}``. Nothing is ever evicted: a full one
    refuses to write.
    """
    return ProcessSpec(
        name,
        port=port,
        holds=DISK,
        command=(
            *("redis-server", "--port", "{port}", "--bind", "{host}", "--dir", "{data}"),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "{redis_fsync}"),
            *_OPEN,
            *_DEBUG,
        ),
        needs=NEEDS,
        ready=READY,
        image=Image(IMAGE),
        service=REDIS,
    )


def copies(cluster: str, ports: Sequence[int], sentinels: Sequence[str]) -> list[ProcessSpec]:
    """Return as many Redis as there are ports, the first of which is the primary at first.

    They are called ``cluster-1`` and so on. One that is started again asks the ``sentinels``, which
    are processes of these names, whether it is the primary still. The primary refuses to write
    while fewer than ``{redis_min_replicas}`` replicas follow.
    """
    first, *others = (f"{cluster}-{number}" for number in range(1, len(ports) + 1))
    return [
        replace(
            server(name, port),
            command=(
                *shell(HOSTS, "redis_copy.sh"),
                *("redis", "{data}", cluster, "{address}"),
                ",".join(_addresses(name, (first, *others))),
                ",".join(_addresses(name, sentinels)),
                *server(name, port).command,
                *("--min-replicas-to-write", "{redis_min_replicas}"),
                *("--min-replicas-max-lag", str(MAX_LAG)),
                # Who has to copy all of it need not wait for others that have to.
                *("--repl-diskless-sync-delay", "0"),
            ),
            peers=(*(each for each in (first, *others) if each != name), *sentinels),
            cluster=cluster,
        )
        for name, port in zip((first, *others), ports, strict=True)
    ]


def _addresses(own: str, names: Sequence[str]) -> list[str]:
    """Return the placeholders of where these are, among whom is perhaps who asks."""
    return ["{address}" if each == own else f"{{{each}}}" for each in names]


def cache(name: str, port: int) -> ProcessSpec:
    """Return a Redis that holds copies in its memory alone, and drops what was used least of late.

    It writes no file: one that is started again is empty.
    """
    return ProcessSpec(
        name,
        port=port,
        command=(
            *("redis-server", "--port", "{port}", "--bind", "{host}"),
            *("--save", "", "--appendonly", "no"),
            *("--maxmemory", str(CACHE_BYTES), "--maxmemory-policy", "allkeys-lru"),
            *_OPEN,
            *_DEBUG,
        ),
        needs=NEEDS,
        ready=READY,
        image=Image(IMAGE),
        service=REDIS_CACHE,
    )

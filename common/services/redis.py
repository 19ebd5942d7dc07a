"""Servers of Redis: one that keeps what it holds on disk, and one that keeps nothing."""

from __future__ import annotations

from common.process_spec import COMMAND, DISK, REDIS, REDIS_CACHE, Image, ProcessSpec, Ready

IMAGE = "redis:8"
CACHE_BYTES = 64 << 20
"""How much memory one node of a cache uses."""
_NEEDS = {"redis-server": "it is in Debian's package redis-server"}
_READY = Ready(COMMAND, command=("redis-cli", "-h", "{host}", "-p", "{port}", "ping"))
# Within a stack nobody has a password, and a container is called by its address.
_OPEN = ("--protected-mode", "no")
# For `testbed fault`, and for who is in the same machine or container alone.
_DEBUG = ("--enable-debug-command", "local")


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
        needs=_NEEDS,
        ready=_READY,
        image=Image(IMAGE),
        service=REDIS,
    )


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
        needs=_NEEDS,
        ready=_READY,
        image=Image(IMAGE),
        service=REDIS_CACHE,
    )

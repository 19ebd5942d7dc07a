"""A Redis that keeps what it holds on disk."""

from __future__ import annotations

from common.process_spec import COMMAND, DISK, REDIS, Image, ProcessSpec, Ready

IMAGE = "redis:8"


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
            # Within a stack nobody has a password, and a container is called by its address.
            *("--protected-mode", "no"),
            # For `testbed fault`, and for who is in the same machine or container alone.
            *("--enable-debug-command", "local"),
        ),
        needs={"redis-server": "it is in Debian's package redis-server"},
        ready=Ready(COMMAND, command=("redis-cli", "-h", "{host}", "-p", "{port}", "ping")),
        image=Image(IMAGE),
        service=REDIS,
    )

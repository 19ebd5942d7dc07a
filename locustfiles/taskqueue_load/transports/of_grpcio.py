"""Channels of grpcio, whose core waits in threads: for comparison."""

from __future__ import annotations

from functools import cache

import gevent
import grpc
from grpc.experimental import gevent as grpc_gevent

from common.rpc import connect as channels

# Calls of one process that may wait for an answer at a time. A thread is made once it is needed.
MOST_WAITING = 4096


def connect(endpoint: str) -> grpc.Channel:
    """Return a channel with a connection of its own."""
    _make_grpc_yield_to_gevent()
    return channels.channel(endpoint, channels.OWN_CONNECTION)


@cache
def _make_grpc_yield_to_gevent() -> None:
    """Let other users run while a call waits; has to come before the first channel.

    A call waits for its answer in a thread of gevent's pool. With the ten that there are by itself,
    ten calls to a process that does not answer would hold up all others (docs/decisions/0012).
    """
    gevent.get_hub().threadpool.maxsize = MOST_WAITING
    grpc_gevent.init_gevent()

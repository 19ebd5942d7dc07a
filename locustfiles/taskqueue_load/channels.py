"""The connections of one Locust process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import gevent
import grpc
from grpc.experimental import gevent as grpc_gevent

from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub

# Shared out over the endpoints, so that stacks with one entry and with many get the same number.
CONNECTIONS = 6

# Calls of one process that may wait for an answer at a time. A thread is made once it is needed.
MOST_WAITING = 4096

_OPTIONS = (
    # A repeat inside the client would hide an error and lengthen a latency.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # How long an attempt to connect may take, whatever its name says: a busy machine needs a while.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class ChannelPool:
    """Stubs over distinct connections; neighbours in ``stubs`` have different endpoints.

    To be opened after Locust has forked, in the process that uses it. A caller that walks through
    ``stubs`` in a ring uses every endpoint equally often.
    """

    def __init__(self, endpoints: Sequence[str]) -> None:
        _make_grpc_yield_to_gevent()
        rounds = max(1, CONNECTIONS // len(endpoints))
        self.endpoints = [endpoint for _ in range(rounds) for endpoint in endpoints]
        self._channels = [
            # Channels with equal arguments would share a connection.
            grpc.insecure_channel(endpoint, (*_OPTIONS, ("taskqueue_load.connection", number)))
            for number, endpoint in enumerate(self.endpoints)
        ]
        self.stubs = [TaskQueueServiceStub(channel) for channel in self._channels]

    def close(self) -> None:
        """Close every connection; calls in flight end with an error."""
        for channel in self._channels:
            channel.close()


@cache
def _make_grpc_yield_to_gevent() -> None:
    """Let other users run while a call waits; has to come before the first channel.

    A call waits for its answer in a thread of gevent's pool. With the ten that there are by itself,
    ten calls to a process that does not answer would hold up all others (docs/decisions/0012).
    """
    gevent.get_hub().threadpool.maxsize = MOST_WAITING
    grpc_gevent.init_gevent()

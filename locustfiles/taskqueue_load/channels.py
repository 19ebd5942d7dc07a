"""The connections of one Locust process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import gevent
from grpc.experimental import gevent as grpc_gevent

from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.rpc import connect

# Shared out over the endpoints, so that stacks with one entry and with many get the same number.
CONNECTIONS = 6

# Calls of one process that may wait for an answer at a time. A thread is made once it is needed.
MOST_WAITING = 4096


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
            connect.channel(endpoint, connect.OWN_CONNECTION) for endpoint in self.endpoints
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

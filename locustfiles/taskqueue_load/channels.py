"""The connections of one Locust process."""

from __future__ import annotations

from collections.abc import Sequence

from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from taskqueue_load import transports

# Shared out over the endpoints, so that stacks with one entry and with many get the same number.
CONNECTIONS = 6


class ChannelPool:
    """Stubs over distinct connections; neighbours in ``stubs`` have different endpoints.

    To be opened after Locust has forked, in the process that uses it. A caller that walks through
    ``stubs`` in a ring uses every endpoint equally often. ``client`` is one of
    :data:`taskqueue_load.transports.CLIENTS`.
    """

    def __init__(self, endpoints: Sequence[str], client: str) -> None:
        connect = transports.connector(client)
        rounds = max(1, CONNECTIONS // len(endpoints))
        self.endpoints = [endpoint for _ in range(rounds) for endpoint in endpoints]
        self._channels = [connect(endpoint) for endpoint in self.endpoints]
        self.stubs = [TaskQueueServiceStub(channel) for channel in self._channels]

    def close(self) -> None:
        """Close every connection; calls in flight end with an error."""
        for channel in self._channels:
            channel.close()

"""Channels of our own transport, with the limits that all channels of the project have."""

from __future__ import annotations

from common.rpc.connect import MAX_MESSAGE_BYTES
from taskqueue_load.transports.grpc_gevent import Channel


def connect(endpoint: str) -> Channel:
    """Return a channel with a connection of its own."""
    return Channel(endpoint, largest_sent=MAX_MESSAGE_BYTES, largest_received=MAX_MESSAGE_BYTES)

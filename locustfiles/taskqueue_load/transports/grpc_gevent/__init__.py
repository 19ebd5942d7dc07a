"""Unary gRPC over HTTP/2 for gevent, without threads and without grpcio's core; see README.md."""

from __future__ import annotations

from .channel import Channel
from .connector import Pace
from .keepalive import Keepalive
from .status import RpcError

__all__ = ["Channel", "Keepalive", "Pace", "RpcError"]

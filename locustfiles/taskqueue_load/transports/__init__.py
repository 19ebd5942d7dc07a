"""The ways to call a server: each makes channels that the generated stubs are put on.

What belongs to one of them alone is imported once it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

GRPC_GEVENT = "grpc-gevent"
GRPCIO = "grpcio"
CLIENTS = (GRPC_GEVENT, GRPCIO)

Connect = Callable[[str], Any]
"""Makes a channel, with a connection of its own, to ``host:port``."""


def connector(client: str) -> Connect:
    """Return what makes the channels of one of :data:`CLIENTS`, after Locust has forked."""
    module = import_module(f"{__name__}.{'of_grpcio' if client == GRPCIO else 'of_grpc_gevent'}")
    connect: Connect = module.connect
    return connect

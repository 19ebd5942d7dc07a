"""Names of servers, their addresses, and sockets that are connected to those."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from gevent.monkey import get_original
from gevent.socket import getaddrinfo as resolve_in_a_thread
from gevent.socket import wait_write

Address = tuple[int, Any]
"""A family of sockets, and what these call an address."""


def split(target: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[host]:port``. Raises ``ValueError``."""
    host, _, port = target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit():
        raise ValueError(f"{target!r} is not HOST:PORT")
    return host, int(port)


def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a host. Raises ``OSError`` if it is not known."""
    kind, flags = socket.SOCK_STREAM, socket.AI_NUMERICHOST
    try:
        found = get_original("socket", "getaddrinfo")(host, port, type=kind, flags=flags)
    except OSError:
        found = resolve_in_a_thread(host, port, type=kind)
    return [(family, address) for family, _, _, _, address in found]


def connect(address: Address, seconds: float) -> socket.socket:
    """Return a connected socket that never blocks. Raises ``OSError``."""
    family, where = address
    # What gevent puts in its place would wait where this only says that it cannot go on.
    connecting: socket.socket = get_original("socket", "socket")(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = connecting.connect_ex(where)
        if code == errno.EINPROGRESS:
            wait_write(connecting.fileno(), seconds, TimeoutError("connecting takes too long"))
            code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
    except BaseException:
        connecting.close()
        raise
    return connecting

"""Ports of this machine for what tests start, which nobody else takes in the meantime."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

from tests.support import parallel

# Below the ports of stacks in tests, and with those below the range from which the system chooses
# the local ends of connections. Each process that runs tests has a part; tests that other people
# run at the same time begin elsewhere in it.
_FIRST, _PART = 10_000, 2_500


def free_port() -> int:
    """Return a port that nobody has, another one at each call."""
    return next(_ports)


def free_ports(count: int) -> list[int]:
    """Return so many ports that nobody has, all different."""
    return [free_port() for _ in range(count)]


def is_free(port: int) -> bool:
    """Whether nobody listens on a local port."""
    with socket.socket() as probe:
        # As servers do: connections of one that has ended may linger.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _going_round() -> Iterator[int]:
    first = _FIRST + parallel.worker() % 4 * _PART
    turn = random.SystemRandom().randrange(_PART)
    while True:
        port = first + turn % _PART
        turn += 1
        if is_free(port):
            yield port


_ports = _going_round()

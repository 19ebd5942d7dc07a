"""Sees whether a process serves that has no gRPC health: over TCP, HTTP or by a command."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess

from common.process_spec import COMMAND, TCP, Ready
from testbed.stack import environment

# Whatever forwards a port of a container accepts a connection before it knows whether anybody is
# behind it, and ends it at once if nobody is.
_MOMENT = 0.2


def serves(address: str, ready: Ready, timeout: float) -> bool:
    """Say whether a process serves that is called at ``address``, ``host:port``, if at all.

    An answer takes ``timeout`` seconds at most; none by then is a no.
    """
    try:
        if ready.how == COMMAND:
            return _ends_well(ready, timeout)
        return _accepts(address, timeout) if ready.how == TCP else _finds(address, ready, timeout)
    except (OSError, http.client.HTTPException, subprocess.SubprocessError):
        return False


def _accepts(address: str, timeout: float) -> bool:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        connection.settimeout(_MOMENT)
        try:
            return bool(connection.recv(1))
        except TimeoutError:  # it waits for what is asked of it
            return True


def _finds(address: str, ready: Ready, timeout: float) -> bool:
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", ready.path)
        return connection.getresponse().status < http.HTTPStatus.BAD_REQUEST
    finally:
        connection.close()


def _ends_well(ready: Ready, timeout: float) -> bool:
    done = subprocess.run(
        ready.command,
        env=environment.of_engine(environment.with_programs(os.environ)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=timeout,
        check=False,
    )
    return done.returncode == 0

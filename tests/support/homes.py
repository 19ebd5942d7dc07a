"""A project root of a test's own: what runs there, and the ports that it needs."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from testbed.errors import TestbedError
from testbed.stack import ports, prepare
from testbed.stack.sides.resolve import resolve
from tests.support import needs
from tests.support.stacks import DEFAULT_PORTS
from tests.support.waiting import INTERVAL

PATIENCE = 60.0
"""Seconds for which a port may be that of a stack or connection which is about to end."""
LARGEST = ("a+links=on", "a+store=redis", "b+nodes=8+slots=16+links=on", "b+store=redis")
"""Sides that have every port which one of a design's has by default."""


@contextmanager
def default_ports_kept() -> Iterator[None]:
    """Let no outgoing connection take a port that designs name, while stacks may.

    The tests make thousands of connections, and each has its port for as long as it lasts and a
    minute more. A port that is taken at the beginning is left alone.
    """
    with ExitStack() as kept:
        for side in LARGEST:
            for port in prepare.port_uses(resolve(side).scaled):
                held = kept.enter_context(socket.socket())
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with suppress(OSError):
                    held.bind((ports.HOST, port))
        yield


def require_default_ports() -> None:
    """Complain if a port is taken: the commands start stacks on those that the designs name."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return ports.require_free(dict.fromkeys(sorted(DEFAULT_PORTS), "of a design"))
        except TestbedError as error:
            if time.monotonic() > end:
                needs.lacks(f"{error}: is a stack up?")
        time.sleep(INTERVAL)


def processes_of(home: Path) -> list[psutil.Process]:
    """Return the processes that belong to a stack or a command of this project root."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        mine = environment.get("TESTBED_HOME") == str(home)
        marked = environment.get("TESTBED_STACK", "").startswith(f"{home}:")
        if (mine or marked) and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found

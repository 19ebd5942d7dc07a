"""A project root of a test's own: what runs there, and the ports that it needs."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import psutil

from tests.support import needs
from tests.support.stacks import DEFAULT_PORTS
from tests.support.waiting import INTERVAL

PATIENCE = 60.0
"""Seconds for which a port may be that of a connection which some other test has."""


def require_default_ports() -> None:
    """Complain if a port is taken: the commands start stacks on those that the designs name."""
    end = time.monotonic() + PATIENCE
    for port in sorted(DEFAULT_PORTS):
        while not _is_free(port):
            if time.monotonic() > end:
                needs.lacks(f"port {port} is taken: is a stack up?")
            time.sleep(INTERVAL)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


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

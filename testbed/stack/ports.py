"""Checks that ports are free before anything is started on them."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

import psutil

from testbed.errors import TestbedError
from testbed.stack.records import MARKER

HOST = "127.0.0.1"
_RETRY = 0.05


def require_free(wanted: Mapping[int, str], wait: float = 3.0) -> None:
    """Raise :class:`TestbedError` unless every port can be listened on.

    ``wanted`` maps a port to what needs it. The error names each taken port and who holds it. For
    a port without a visible holder there is a ``wait`` of so many seconds: the last threads of a
    process that has just ended still hold its sockets for a moment.
    """
    end = time.monotonic() + wait
    while taken := {port: use for port, use in wanted.items() if not _is_free(port)}:
        holders = _holders()
        if taken.keys() <= holders.keys() or time.monotonic() >= end:
            raise _error(taken, holders)
        time.sleep(_RETRY)


def _error(taken: Mapping[int, str], holders: Mapping[int, psutil.Process]) -> TestbedError:
    lines, hints = [], dict[str, None]()
    for port, use in taken.items():
        holder = holders.get(port)
        lines.append(f"port {port} ({use}) is taken by {_describe(holder)}")
        hints[_hint(port, holder)] = None
    return TestbedError("\n".join(lines), "\n".join(hints))


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections that linger after a stop are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _holders() -> dict[int, psutil.Process]:
    """Return the process at each local port, a listening one first, as far as it can be seen."""
    found: dict[int, psutil.Process] = {}
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return found
    for each in sorted(connections, key=lambda each: each.status != psutil.CONN_LISTEN):
        if each.laddr and each.pid and each.laddr.port not in found:
            try:
                found[each.laddr.port] = psutil.Process(each.pid)
            except psutil.NoSuchProcess:
                continue
    return found


def _describe(holder: psutil.Process | None) -> str:
    if holder is None:
        return "a process that cannot be seen from here"
    try:
        return f"process {holder.pid}: {' '.join(holder.cmdline()) or holder.name()}"
    except psutil.Error:
        return f"process {holder.pid}"


def _hint(port: int, holder: psutil.Process | None) -> str:
    if holder is None:
        return f"find it with `ss -ltnp 'sport = :{port}'` as root"
    try:
        stack = holder.environ().get(MARKER)
    except psutil.Error:
        stack = None
    if stack:
        root, _, design = stack.rpartition(":")
        return f"it belongs to design {design} of {root}: run `testbed down {design}` there"
    return f"end it (`kill {holder.pid}`) if it is yours, then try again"

"""Checks that ports are free before anything is started on them, and keeps them so.

The ports of a stack lie in the range from which the system chooses the local end of outgoing
connections. So a port can be taken by any connection, and for a minute after that has ended.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil

from testbed.errors import TestbedError
from testbed.stack.records import MARKER

HOST = "127.0.0.1"
_RETRY = 0.05
# The system keeps the port of an ended connection for 60 s.
_ENDED_WAIT = 65.0
_ENDED = frozenset(
    {
        psutil.CONN_TIME_WAIT,
        psutil.CONN_FIN_WAIT1,
        psutil.CONN_FIN_WAIT2,
        psutil.CONN_CLOSING,
        psutil.CONN_LAST_ACK,
    }
)


@dataclass(frozen=True)
class _Holder:
    """Who has a port: a process, ``None`` if it cannot be seen, that listens or is a client.

    With ``ended`` it is nobody: the connection has ended, and the system keeps its port a while.
    """

    process: psutil.Process | None = None
    listens: bool = True
    ended: bool = False


@contextmanager
def reserved(wanted: Mapping[int, str], on_progress: Callable[[str], None]) -> Iterator[None]:
    """Have every port free, and let no outgoing connection take one while the block lasts.

    Servers can listen on them all the while. Errors as of :func:`require_free`.
    """
    with ExitStack() as placeholders:
        require_free(wanted, on_progress=on_progress)
        for port, use in wanted.items():
            placeholder = placeholders.enter_context(_server_socket())
            try:
                placeholder.bind((HOST, port))
            except OSError:  # taken since the check
                require_free({port: use}, on_progress=on_progress)
                placeholder.bind((HOST, port))
        yield


def require_free(
    wanted: Mapping[int, str],
    wait: float = 3.0,
    ended_wait: float = _ENDED_WAIT,
    on_progress: Callable[[str], None] = lambda _text: None,
) -> None:
    """Raise :class:`TestbedError` unless every port can be listened on.

    ``wanted`` maps a port to what needs it. The error names each taken port and who holds it. For
    a port on which nobody can be seen to listen there is a ``wait`` of so many seconds: the last
    threads of a process that has just ended still hold its sockets for a moment, and a connection
    that has the port may end. For one that has ended it is ``ended_wait``, by which the system
    gives it back.
    """
    start = time.monotonic()
    noted = False
    while taken := [port for port in wanted if not _is_free(port)]:
        holders = _holders(taken)
        ended = all(each.ended for each in holders.values())
        served = any(each.process and each.listens for each in holders.values())
        if served or time.monotonic() - start >= (ended_wait if ended else wait):
            raise _error(wanted, holders)
        if ended and not noted:
            numbers = ", ".join(map(str, taken))
            on_progress(f"up to a minute until the system gives back port {numbers}")
            noted = True
        time.sleep(_RETRY)


def _server_socket() -> socket.socket:
    """Return a socket as servers have it: connections that they had are no obstacle."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


def _is_free(port: int) -> bool:
    with _server_socket() as probe:
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _holders(taken: list[int]) -> dict[int, _Holder]:
    """Return who has each of the taken ports, as far as it can be seen."""
    found: dict[int, _Holder] = {}
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        connections = []
    for each in sorted(connections, key=lambda each: each.status != psutil.CONN_LISTEN):
        if not each.laddr or each.laddr.port not in taken or each.laddr.port in found:
            continue
        if each.pid is None:
            if each.status in _ENDED:
                found[each.laddr.port] = _Holder(ended=True)
            continue
        try:
            process = psutil.Process(each.pid)
        except psutil.NoSuchProcess:
            continue
        found[each.laddr.port] = _Holder(process, each.status == psutil.CONN_LISTEN)
    return {port: found.get(port, _Holder()) for port in taken}


def _error(wanted: Mapping[int, str], holders: Mapping[int, _Holder]) -> TestbedError:
    lines, hints = [], dict[str, None]()
    for port, holder in holders.items():
        lines.append(f"port {port} ({wanted[port]}) is taken by {_describe(holder)}")
        hints[_hint(port, holder)] = None
    return TestbedError("\n".join(lines), "\n".join(hints))


def _describe(holder: _Holder) -> str:
    if holder.ended:
        return "a connection that has ended"
    if holder.process is None:
        return "a process that cannot be seen from here"
    pid, what = holder.process.pid, "" if holder.listens else "a connection of "
    try:
        command = " ".join(holder.process.cmdline()) or holder.process.name()
    except psutil.Error:
        return f"{what}process {pid}"
    return f"{what}process {pid}: {command}"


def _hint(port: int, holder: _Holder) -> str:
    if holder.ended:
        return "the system gives it back within a minute: try again then"
    process = holder.process
    if process is None:
        return f"find it with `ss -ltnp 'sport = :{port}'` as root"
    if not holder.listens:
        return f"try again once that is closed, or end it (`kill {process.pid}`) if it is yours"
    try:
        stack = process.environ().get(MARKER)
    except psutil.Error:
        stack = None
    if stack:
        root, _, design = stack.rpartition(":")
        return f"it belongs to design {design} of {root}: run `testbed down {design}` there"
    return f"end it (`kill {process.pid}`) if it is yours, then try again"

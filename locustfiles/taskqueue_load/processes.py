"""Keeps the processes of one run with ``--processes`` together, and those of another one out.

Locust forks its workers before its master takes the port at which they meet. Where another run has
that port the workers would join that one's master, and be counted and driven by it.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from gevent.monkey import get_original
from locust.runners import MasterRunner

_EVERYWHERE = ("*", "0.0.0.0", "::", "")  # noqa: S104  # only compared with
_LOOPBACK = "127.0.0.1"
_GO = b"."


class Gate:
    """Holds back the workers that this process forks until its master has the port."""

    def __init__(self) -> None:
        self.guarded = False
        self._workers = 0
        self._ends: tuple[int, int] | None = None
        os.register_at_fork(after_in_child=self._wait)

    def shut(self, workers: int) -> None:
        """Let so many children that are forked from now on wait."""
        self._workers, self._ends = workers, os.pipe()

    def open(self) -> None:
        """Let them go on. Without this they end with their parent."""
        if self._ends is None:
            return
        (read, write), self._ends = self._ends, None
        os.write(write, _GO * self._workers)
        os.close(write)
        os.close(read)

    def _wait(self) -> None:
        if self._ends is None:
            return
        (read, write), self._ends = self._ends, None
        # That of gevent closes when its loop runs again, which it does not here.
        get_original("os", "close")(write)
        try:
            go = os.read(read, 1)
        except BaseException:  # an interrupt: then there is nothing to join either
            os._exit(1)
        if not go:
            os._exit(1)
        os.close(read)


_gate = Gate()


def guard(parser: Any, **_: Any) -> None:
    """Check the options as soon as Locust has parsed them, which is before it forks.

    Locust has no event there. Its later parsers are for the web form, when its port is its own.
    """
    if _gate.guarded:
        return
    _gate.guarded = True
    parse: Callable[..., Any] = parser.parse_args

    def parse_and_check(*arguments: Any, **options: Any) -> Any:
        given = parse(*arguments, **options)
        _check(given)
        return given

    parser.parse_args = parse_and_check


def let_workers_join(runner: object) -> None:
    """Note that this process is ready; only as a master it has workers that wait for that."""
    if isinstance(runner, MasterRunner):
        _gate.open()


def _check(given: Any) -> None:
    """Have the workers that are about to be forked join the master that forks them."""
    if not given.processes or given.worker or given.master or given.list_commands:
        return
    host, port = given.master_bind_host, given.master_bind_port
    if _is_taken(host, port):
        sys.exit(
            f"locust: error: port {port}, where the processes of a run meet, is taken, as by "
            "another run with --processes or --master: end that, or give this one a port of its "
            "own with --master-bind-port"
        )
    given.master_host = _LOOPBACK if host in _EVERYWHERE else host
    given.master_port = port
    # So many as Locust makes of -1, which stands for as many as there are cores.
    _gate.shut(os.cpu_count() or 1 if given.processes < 0 else given.processes)


def _is_taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # As Locust itself does it: connections of an earlier run that linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("" if host in _EVERYWHERE else host, port))
        except OSError:
            return True
    return False

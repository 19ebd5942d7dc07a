"""Starts processes of the designs as copies of one that has imported what they import.

To import gRPC and the rest takes a process half a second of CPU, a stack has six processes, and a
run of the tests has a hundred stacks. A copy runs the same module as ``python -m`` does, which is
how users start a stack and how the tests of the commands do.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from design_a.topology import TOPOLOGY as TOPOLOGY_A
from design_b.topology import TOPOLOGY as TOPOLOGY_B
from tests.support.paths import ROOT

# Seconds that the first process may take to import everything, on a machine that is busy.
_PATIENCE = 60.0


class ForkedProcess:
    """A process that was started so. Has what the tests use of ``subprocess.Popen``."""

    def __init__(self, parent: _Parent, pid: int) -> None:
        self.pid = pid
        self._parent = parent

    def poll(self) -> int | None:
        """Return the exit code, ``None`` while it runs."""
        return self._parent.code(self.pid, 0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended. Raises ``subprocess.TimeoutExpired``."""
        code = self._parent.code(self.pid, timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class _Parent:
    """The process that is copied, seen from the tests."""

    def __init__(self) -> None:
        mine, other = socket.socketpair()
        # What belongs to one test must not be seen in a process that outlives it.
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("TESTBED_", "TASKQUEUE_"))
        }
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(other.fileno())],
                cwd=ROOT,
                env=environment,
                pass_fds=[other.fileno()],
            )
        self._socket = mine
        self._unread = b""
        self._codes: dict[int, int] = {}
        self._lock = threading.Lock()

    def start(self, module: str, environment: Mapping[str, str], log: Path) -> ForkedProcess:
        """Run a module as ``python -m`` does, what it prints appended to a file."""
        request = {"module": module, "environment": dict(environment), "log": str(log)}
        with self._lock:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            while "started" not in (answer := self._answer(_PATIENCE)):
                if not answer:
                    raise RuntimeError(f"{module} was not started within {_PATIENCE:g} s")
            # The system gives the number of one that has ended to another one after a while.
            self._codes.pop(answer["started"], None)
        return ForkedProcess(self, answer["started"])

    def code(self, pid: int, timeout: float | None) -> int | None:
        """Return the exit code of a process once it has ended, ``None`` if that takes too long."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                while pid not in self._codes and self._answer(0):
                    pass
                if pid in self._codes:
                    return self._codes[pid]
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return None
            select.select([self._socket], [], [], min(left, 0.05) if left is not None else 0.05)

    def close(self) -> None:
        """End it, and with it all that it started."""
        self._socket.close()
        self._process.wait(_PATIENCE)

    def _answer(self, timeout: float) -> dict[str, Any]:
        """Return what was reported next, nothing if there is nothing in that time."""
        while b"\n" not in self._unread:
            if not select.select([self._socket], [], [], timeout)[0]:
                return {}
            received = self._socket.recv(4096)
            if not received:
                raise RuntimeError("what starts the processes of stacks has ended")
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "ended" in answer:
            self._codes[answer["ended"]] = answer["code"]
        return answer


@cache
def parent() -> _Parent:
    """Return the process that is copied, which is started when it is first asked for."""
    made = _Parent()
    atexit.register(made.close)
    return made


def main() -> None:
    """Import what the designs import, then start copies until nobody can ask for one."""
    modules = {spec.module for each in (TOPOLOGY_A, TOPOLOGY_B) for spec in each.processes}
    for name in sorted(modules):
        importlib.import_module(name)
    for name in modules & sys.modules.keys():
        del sys.modules[name]
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        chosen = _serve(requests)
    if chosen:
        _become(chosen)


def _serve(requests: socket.socket) -> dict[str, Any]:
    """Start copies; in one of them return what it is to do, in the first nothing at the end."""
    ends, wake = os.pipe()
    for end in (ends, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: set[int] = set()
    lines = requests.makefile("rb")
    while True:
        ready, _, _ = select.select([requests, ends], [], [])
        if ends in ready:
            os.read(ends, 4096)
            for pid, code in _ended(children):
                _report(requests, {"ended": pid, "code": code})
        if requests in ready:
            line = lines.readline()
            if not line:
                break
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for end in (ends, wake):
                    os.close(end)
                request: dict[str, Any] = json.loads(line)
                return request
            children.add(pid)
            _report(requests, {"started": pid})
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    return {}


def _ended(children: set[int]) -> list[tuple[int, int]]:
    found = []
    for pid in sorted(children):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            children.remove(pid)
            found.append((pid, os.waitstatus_to_exitcode(status)))
    return found


def _report(requests: socket.socket, answer: Mapping[str, int]) -> None:
    with contextlib.suppress(BrokenPipeError):
        requests.sendall(json.dumps(answer).encode() + b"\n")


def _become(request: Mapping[str, Any]) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(request["environment"])
    with open(request["log"], "ab") as log, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.argv[1:] = []
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

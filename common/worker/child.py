"""What runs inside the processes for CPU work.

The fork server imports this module and every kind before it forks, so a process starts quickly.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.connection import Connection
from typing import Any

from common.domain.job import Outcome
from common.handlers.registry import Handler, load
from common.worker.outcomes import done, failed_by, unreadable

_kept: list[object] = []


def initialize(lifeline: Connection) -> None:
    """Hold the lifeline, whose end shows the parent that of this process, and watch the parent."""
    _kept.append(lifeline)
    threading.Thread(target=_die_with_parent, name="parent-watch", daemon=True).start()


def run(handler: Handler[Any], payload: bytes) -> Outcome:
    """Run a CPU handler. Whatever it raises becomes an outcome, so nothing odd is pickled."""
    try:
        params = handler.parse(payload)
    except ValueError as error:
        return unreadable(error)
    try:
        return done(handler.run(params))
    except BaseException as error:  # a handler may raise SystemExit, too
        return failed_by(error)


def _die_with_parent() -> None:
    """End this process when the one that asked for it ends, even if by SIGKILL.

    The parent process in the sense of ``multiprocessing`` is that one, not the fork server: the
    join reads a pipe whose other end only the parent holds.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


load()

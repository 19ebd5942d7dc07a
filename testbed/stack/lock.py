"""One ``up`` or ``down`` of a design at a time, over all processes on the machine."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from testbed.errors import TestbedError
from testbed.stack import records as stacks

_RETRY = 0.1


@contextmanager
def held(design: str, verb: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the design's lock; the system releases it if this process dies.

    Raises :class:`TestbedError`, naming who holds it, if it cannot be had within ``wait`` seconds.
    """
    path = stacks.folder_of(design) / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + wait
    with path.open("a+", encoding="utf-8") as file:
        while not _try_lock(file):
            if time.monotonic() >= end:
                file.seek(0)
                raise TestbedError(
                    f"another command is at work on design {design}: {file.read().strip()}",
                    "wait until it is done, or stop it with Ctrl-C where it runs",
                )
            time.sleep(_RETRY)
        # The file stays: removing it would let two processes lock two files of one name.
        file.truncate(0)
        file.write(f"`testbed {verb} {design}`, process {os.getpid()}\n")
        file.flush()
        yield


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

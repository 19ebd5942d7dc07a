"""Gives local processes a wall clock that can be set, with libfaketime.

A library that is loaded before all others answers what asks for the time of day, from a file with
the difference to the true time. The monotonic clock stays the true one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from common.topology import Topology
from testbed.errors import TestbedError
from testbed.stack import records as stacks

LIBRARY = "libfaketimeMT.so.1"
_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib")
# The library leaves these behind if its process is killed.
_SHARED = ("faketime_shm_{}", "sem.faketime_sem_{}")
_SHARED_FOLDER = Path("/dev/shm")  # noqa: S108


def require(topology: Topology) -> None:
    """Raise :class:`TestbedError` unless the library is there, and a process whose clock it sets.

    Whether a program that is not ours asks the library for the time, nobody knows.
    """
    if not any(each.is_ours for each in topology.processes):
        raise TestbedError(
            f"design {topology.design} has no process of ours, and no other clock can be set",
            "leave --clock out",
        )
    find()


def environment(design: str, name: str) -> dict[str, str]:
    """Return what a process needs in its environment, and have it read the true time at first.

    Raises :class:`TestbedError` if the library is missing.
    """
    library = find()
    set_offset(design, name, 0.0)
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(_file(design, name)),
        # Read the file again after so many seconds.
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def find() -> Path:
    """Return where the library is. Raises :class:`TestbedError` if it is nowhere."""
    for folder in _FOLDERS:
        for pattern in (f"*/faketime/{LIBRARY}", f"faketime/{LIBRARY}"):
            if found := sorted(Path(folder).glob(pattern)):
                return found[0]
    raise TestbedError(
        f"clocks are set with libfaketime, and there is no {LIBRARY} below {', '.join(_FOLDERS)}",
        "install it (Debian, Ubuntu: apt-get install libfaketime), or leave --clock out",
    )


def set_offset(design: str, name: str, seconds: float) -> None:
    """Have a process read a wall clock so far ahead of the true one, within about a second."""
    path = _file(design, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(f"{seconds:+.3f}\n", encoding="ascii")
    os.replace(partial, path)


def offset(design: str, name: str) -> float:
    """Return the seconds that :func:`set_offset` set; 0 if it never did."""
    try:
        return float(_file(design, name).read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0.0


def tidy(pid: int) -> None:
    """Remove what the library leaves behind of a process that was killed."""
    for path in _shared(pid):
        path.unlink(missing_ok=True)


def _shared(pid: int) -> Iterator[Path]:
    for name in _SHARED:
        yield _SHARED_FOLDER / name.format(pid)


def _file(design: str, name: str) -> Path:
    return stacks.folder_of(design) / "clocks" / name

"""Lets a process and its family write nothing more to files, and lets them write again.

The limit is RLIMIT_FSIZE. A write fails with EFBIG where a disk that is full fails with ENOSPC, and
servers treat both alike. Whoever starts such a process has it ignore SIGXFSZ, as otherwise it would
be ended by that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil

from testbed.errors import TestbedError
from testbed.stack.runtimes.file_limit import NOTHING, PROGRAM, FileLimit
from testbed.stack.runtimes.local.family import family


def fill(process: psutil.Process) -> None:
    """Let it write nothing more. Raises :class:`TestbedError` where that cannot be done."""
    if not shutil.which(PROGRAM):
        raise TestbedError(
            f"the limits of a process are set with `{PROGRAM}`, which is not on PATH",
            "it is in util-linux, of Linux alone",
        )
    _limit(process, NOTHING)


def empty(process: psutil.Process) -> bool:
    """Let it write again, as far as it ever could; say whether it could not."""
    was_full = is_full(process)
    if was_full:
        _limit(process, "")
    return was_full


def is_full(process: psutil.Process) -> bool:
    """Say whether it, or one of its family, can write nothing."""
    return any(_limit_of(each).soft == NOTHING for each in family(process))


def _limit(process: psutil.Process, soft: str) -> None:
    """Set the limit of a process and its family; without any it is as high as it can be."""
    done: set[psutil.Process] = set()
    # Who is started later has the limit of who starts it, which comes first.
    while new := [each for each in family(process) if each not in done]:
        for each in new:
            _set(each, soft or _limit_of(each).hard)
        done.update(new)


def _limit_of(process: psutil.Process) -> FileLimit:
    """Return the limit of a process; of one that has ended, an empty one."""
    try:
        text = Path("/proc", str(process.pid), "limits").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return FileLimit()
    return FileLimit.read(text)


def _set(process: psutil.Process, soft: str) -> None:
    try:
        user, group = process.uids().real, process.gids().real
    except psutil.NoSuchProcess:
        return
    # Who is not the owner of a process may not, not even root everywhere.
    other: dict[str, Any] = {"user": user, "group": group, "extra_groups": ()}
    command = [PROGRAM, f"--pid={process.pid}", f"--fsize={soft}:"]
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **(other if user != os.geteuid() else {}),
    )
    if done.returncode and process.is_running():
        raise TestbedError(f"{' '.join(command)}: {done.stdout.strip()}")

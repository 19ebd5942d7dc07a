"""The limit on the size of files of a process, as the system writes it down."""

from __future__ import annotations

import re
from typing import NamedTuple

# What sets it for a process that runs, and how much is nothing.
PROGRAM = "prlimit"
NOTHING = "0"
_LINE = re.compile(r"^Max file size\s+(\S+)\s+(\S+)", re.MULTILINE)


class FileLimit(NamedTuple):
    """How large files may get, and up to what a process may raise that: bytes or ``unlimited``."""

    soft: str = ""
    hard: str = ""

    @classmethod
    def read(cls, limits: str) -> FileLimit:
        """Read it in ``/proc/<pid>/limits``; of a text that has none, it is empty."""
        found = _LINE.search(limits)
        return cls(found[1], found[2]) if found else cls()

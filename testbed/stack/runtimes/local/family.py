"""Which processes of this machine belong together: who started whom, and who shares a session.

A server may give each of its children a session of its own, as PostgreSQL does, and a child may
outlive its parent and still be in its session. So neither way alone finds all.
"""

from __future__ import annotations

import os
from collections import defaultdict

import psutil


class Census:
    """All processes as they were at one moment; one pass over the machine serves for all families.

    A pass costs about as much as everything else that is read.
    """

    def __init__(self) -> None:
        self._related: dict[int, list[psutil.Process]] = defaultdict(list)
        for process in psutil.process_iter(["ppid"]):
            self._related[process.info["ppid"]].append(process)
            if (session := _session_of(process)) not in {process.pid, process.info["ppid"]}:
                self._related[session].append(process)

    def family(self, root: psutil.Process) -> list[psutil.Process]:
        """Return a process, first, with all that it has started and all that share a session.

        That is the session which it leads, or which one of the others does.
        """
        found, todo = {root.pid: root}, [root.pid]
        while todo:
            for each in self._related.get(todo.pop(), ()):
                if each.pid not in found:
                    found[each.pid] = each
                    todo.append(each.pid)
        return list(found.values())


def family(root: psutil.Process) -> list[psutil.Process]:
    """Return a process, first, and all that belong to it now."""
    return Census().family(root)


def _session_of(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return process.pid

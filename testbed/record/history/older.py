"""What histories do not say that are older than a field: derived from names, here and only here.

Until then only the designs ``a`` and ``b`` of this project had ids that name their home.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from testbed.record.history.model import ALL_JOBS, IDS_BY_HOME, LostJobs

# The processes of Design A that held a part of every job.
_HOLDERS_IN_A = frozenset({"job", "queue", "result"})
_NODE_OF_B = re.compile(r"node-(0|[1-9][0-9]*)\Z")


def ids_of(design: str) -> str:
    """Return what the ids of a design say."""
    return IDS_BY_HOME if design in {"a", "b"} else ""


def lost_jobs(design: str, lost_state: Iterable[str]) -> LostJobs:
    """Return which jobs went with the memory of some processes: of a foreign system, any."""
    names = set(lost_state)
    if design == "b":
        found = map(_NODE_OF_B.match, names)
        return tuple(sorted(int(each[1]) for each in found if each))
    if design == "a":
        names &= _HOLDERS_IN_A
    return ALL_JOBS if names else ()

"""What two looks at a terminal job disagree in."""

from __future__ import annotations

from testbed.checker.looks import Look
from testbed.history.model import Result, Seen


def difference(one: Look, other: Look) -> str:
    """Say in what two terminal looks differ; nothing if they agree."""
    first, second = one.what, other.what
    names = ["state", "failure"]
    if isinstance(first, Seen) and isinstance(second, Seen):
        names += ["attempt", "finish_us"]
    elif isinstance(first, Result) and isinstance(second, Result):
        names.append("digest")
    for name in names:
        before, after = getattr(first, name), getattr(second, name)
        if before != after:
            return f"{name} {before!r} in one answer, {after!r} in another"
    return ""

"""What was answered, what failed and how many jobs were open, second by second."""

from __future__ import annotations

from collections.abc import Iterable

from testbed.record.history.model import OPEN_END, Operation
from testbed.runs.faults.figures.backlog import Level
from testbed.runs.faults.figures.model import SECOND, Timeline
from testbed.runs.faults.figures.service import is_answered
from testbed.runs.faults.figures.windows import DriveWindow


def timeline(calls: Iterable[Operation], jobs: Level | None, over: DriveWindow) -> Timeline:
    """Count each call in the second in which it ended; one without an end is not counted."""
    seconds = (over.ended - over.begun) // SECOND
    answered, errors = [0] * seconds, [0] * seconds
    for call in calls:
        place = (call.completed - over.begun) // SECOND
        if call.completed < OPEN_END and place < seconds:
            (answered if is_answered(call) else errors)[place] += 1
    starts = [over.begun + place * SECOND for place in range(seconds)]
    backlog = [jobs.most(start, start + SECOND) for start in starts] if jobs else []
    return Timeline(tuple(answered), tuple(errors), tuple(backlog))

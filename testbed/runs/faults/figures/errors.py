"""In which ways calls ended without the answer that was asked for, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from testbed.record.history.model import OPEN_END, CallOutcome, Operation
from testbed.runs.faults.figures.model import ErrorKind, MeasuredFault
from testbed.runs.faults.figures.service import is_answered
from testbed.runs.faults.figures.windows import Met


def errors(calls: Iterable[Operation], faults: Sequence[MeasuredFault]) -> tuple[ErrorKind, ...]:
    """Return every way, errors before answers, the most frequent of a method first."""
    met = Met(faults)
    during: Counter[tuple[str, str, str, bool, bool]] = Counter()
    outside: Counter[tuple[str, str, str, bool, bool]] = Counter()
    for call in calls:
        if call.outcome is CallOutcome.OK or call.completed >= OPEN_END:
            continue
        definite = call.outcome is CallOutcome.FAIL
        key = (call.call, call.code, call.reason, definite, is_answered(call))
        (outside if met.index(call.invoked, call.completed) is None else during)[key] += 1
    kinds = [ErrorKind(*key, during[key], outside[key]) for key in during | outside]
    return tuple(
        sorted(
            kinds,
            key=lambda each: (
                each.is_answer,
                each.method,
                -each.during - each.outside,
                each.code,
                each.reason,
                each.definite,
            ),
        )
    )

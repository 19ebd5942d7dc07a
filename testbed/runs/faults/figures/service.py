"""Time without service and the share of calls that were answered, for each method.

A call is *answered* if it ended OK, or with a refusal that only a working service can give. Any
other end, and an answer that took longer than :data:`TOO_LONG_US`, leaves its caller *waiting*. An
outage lies between two answers of a method that follow each other: it is the time that calls cover
which were made there and left waiting, pauses of up to :data:`PAUSE_US` between them included.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from testbed.record.history.model import OPEN_END, CallOutcome, Operation
from testbed.runs.faults.figures.model import (
    ALL,
    SECOND,
    Availability,
    Downtime,
    MeasuredFault,
    MethodService,
    Outage,
)
from testbed.runs.faults.figures.windows import DriveWindow, Met

TOO_LONG_US = SECOND // 2
PAUSE_US = 2 * SECOND
CALLS_NEEDED = 3

# With these a service that works answers its caller with no.
ANSWERS = frozenset(
    {
        "ALREADY_EXISTS",
        "DATA_LOSS",
        "FAILED_PRECONDITION",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "OUT_OF_RANGE",
    }
)

_Stretch = tuple[int, int]


def is_answered(call: Operation) -> bool:
    """Say whether the service did what it is there for."""
    return call.outcome is CallOutcome.OK or (
        call.outcome is CallOutcome.FAIL and call.code in ANSWERS
    )


@dataclass
class MethodCalls:
    """The calls of a method, as far as time without service depends on them."""

    answers: list[int] = field(default_factory=list)
    waiting: list[_Stretch] = field(default_factory=list)

    def take(self, call: Operation, answered: bool) -> None:
        """Count a call. One whose end was not recorded speaks for the moment of its begin alone."""
        ended = call.completed if call.completed < OPEN_END else call.invoked
        if answered:
            self.answers.append(ended)
        if not answered or ended - call.invoked > TOO_LONG_US:
            self.waiting.append((call.invoked, ended))


def outages(calls: MethodCalls, over: DriveWindow) -> list[Outage]:
    """Return all outages of a method in a drive, in order."""
    edges = [over.begun, *sorted(calls.answers), over.ended]
    gaps = [gap for gap in pairwise(edges) if gap[1] - gap[0] >= TOO_LONG_US]
    return [
        Outage(begun, ended, count, count >= CALLS_NEEDED)
        for stretches in _within(gaps, calls.waiting)
        for begun, ended, count in _merged(stretches)
        if ended - begun >= TOO_LONG_US
    ]


def _within(gaps: Sequence[_Stretch], waiting: Iterable[_Stretch]) -> Iterator[list[_Stretch]]:
    """Give what calls that were made in a gap cover of it, for each gap.

    One that was made before has seen others answered: it shows that a part hangs, not all.
    """
    begins = [gap[0] for gap in gaps]
    found: dict[int, list[_Stretch]] = defaultdict(list)
    for begun, ended in waiting:
        index = bisect_right(begins, begun) - 1
        if index >= 0 and begun <= gaps[index][1]:
            found[index].append((begun, min(ended, gaps[index][1])))
    for index in sorted(found):
        yield sorted(found[index])


def _merged(stretches: Sequence[_Stretch]) -> Iterator[tuple[int, int, int]]:
    """Join stretches with no more than a pause between them; give each with its calls."""
    begun, ended = stretches[0]
    count = 0
    for start, end in stretches:
        if start - ended > PAUSE_US:
            yield begun, ended, count
            begun, ended, count = start, end, 0
        ended = max(ended, end)
        count += 1
    yield begun, ended, count


def downtime(found: Iterable[Outage], begun: int, ended: int) -> Downtime:
    """Return what of the outages lies in a window, a piece that is too short left out."""
    total = longest = unsure = 0
    for each in found:
        length = min(each.ended_us, ended) - max(each.begun_us, begun)
        if length < TOO_LONG_US:
            continue
        if each.sure:
            total += length
            longest = max(longest, length)
        else:
            unsure += length
    return Downtime(total / SECOND, longest / SECOND, unsure / SECOND)


@dataclass(frozen=True)
class Served:
    """What all methods did: over the drive, and in each fault by its place."""

    methods: Mapping[str, MethodService]
    downtime: Sequence[Mapping[str, Downtime]]
    availability: Sequence[Mapping[str, Availability]]
    unended: int


def served(
    calls: Iterable[Operation], faults: Sequence[MeasuredFault], over: DriveWindow
) -> Served:
    """Work out the service of every method, and of all of them together as :data:`ALL`."""
    met, unended = Met(faults), 0
    by_method: dict[str, MethodCalls] = {ALL: MethodCalls()}
    tally: dict[str, dict[int | None, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for call in calls:
        answered = is_answered(call)
        for method in (ALL, call.call):
            by_method.setdefault(method, MethodCalls()).take(call, answered)
        if call.completed >= OPEN_END:
            unended += 1
            continue
        place = met.index(call.invoked, call.completed)
        for method in (ALL, call.call):
            counts = tally[method][place]
            counts[0] += 1
            counts[1] += answered
    available = {
        method: {place: Availability(*counts) for place, counts in places.items()}
        for method, places in tally.items()
    }
    names = [ALL, *sorted(by_method.keys() - {ALL})]
    found = {name: outages(by_method[name], over) for name in names}
    first = faults[0].begun_us if faults else over.ended
    return Served(
        {name: _service(available.get(name, {}), found[name], first, over) for name in names},
        [
            {name: downtime(found[name], fault.begun_us, fault.until_us) for name in names}
            for fault in faults
        ],
        [
            {name: available.get(name, {}).get(place, Availability()) for name in names}
            for place in range(len(faults))
        ],
        unended,
    )


def _service(
    available: Mapping[int | None, Availability],
    found: Sequence[Outage],
    first: int,
    over: DriveWindow,
) -> MethodService:
    during = sum(
        (each for place, each in available.items() if place is not None), start=Availability()
    )
    return MethodService(
        during,
        available.get(None, Availability()),
        downtime(found, first, over.ended),
        downtime(found, over.begun, first),
    )

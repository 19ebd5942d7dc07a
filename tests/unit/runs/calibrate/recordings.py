"""A simulated run of the instrument against the stub: a journal, and a recording of it.

The recording can be doctored in the ways in which instruments are known to lie.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from testbed.record.calls import (
    DELAY,
    RESPONSE,
    SERVICE,
    CallSeries,
    IntervalHistogram,
    Window,
    blank,
)
from testbed.record.model import OPEN, LoadRecording, Offered, Second
from testbed.runs.calibrate.behaviour import METHODS
from testbed.runs.calibrate.journal import Journal, from_rows
from testbed.runs.calibrate.plan import Phase

START = 1_700_000_000.25
ADDED_MS = 0.4
DELAY_MS = 0.2


@dataclass(frozen=True)
class Call:
    """One call as an honest instrument saw it; times in seconds, durations in milliseconds."""

    method: str
    sent: float
    ended: float
    service: float
    delay: float

    @property
    def response(self) -> float:
        return self.delay + self.service


Doctor = Callable[[list[Call]], list[Call]]


def honest(calls: list[Call]) -> list[Call]:
    return calls


def simulate(phase: Phase, seconds: int, doctor: Doctor = honest) -> tuple[LoadRecording, Journal]:
    """Run an open loop for so many seconds, of which the first is warm-up."""
    rng, rows, calls = random.Random(3), [], []
    for number in range(round(seconds * phase.rate)):
        intended = START + number / phase.rate
        method = METHODS[rng.random() < 0.5]
        begin = intended + (DELAY_MS + ADDED_MS / 2) / 1000
        end = begin + phase.behaviour.service[method].draw(rng.random()) / 1000
        if phase.behaviour.stall is not None:
            end += phase.behaviour.stall.held_ns(round(end * 1e9)) / 1e9
        rows.append((method, begin, end))
        service = (end - begin) * 1000 + ADDED_MS
        sent = intended + DELAY_MS / 1000
        calls.append(Call(method, sent, sent + service / 1000, service, DELAY_MS))
    recorded = record(phase, doctor(calls), Counter(int(each.sent) for each in calls), seconds)
    return recorded, from_rows(sorted(rows, key=lambda row: row[2]))


def record(phase: Phase, calls: list[Call], sent: Counter[int], seconds: int) -> LoadRecording:
    """Make the recording of these calls; what was sent is kept apart from what is recorded."""
    histograms: dict[str, dict[str, dict[int, list[float]]]] = {
        name: {kind: defaultdict(list) for kind in (SERVICE, DELAY, RESPONSE)} for name in METHODS
    }
    ended: Counter[int] = Counter()
    for call in calls:
        second = int(call.ended)
        ended[second] += 1
        kinds = histograms[call.method]
        kinds[SERVICE][second].append(call.service)
        kinds[DELAY][second].append(call.delay)
        kinds[RESPONSE][second].append(call.response)
    span = range(int(START), max(ended) + 1)
    return LoadRecording(
        window=Window(START, START + seconds),
        loop=OPEN,
        offered=Offered(phase.rate, "even", 1000),
        nominal_warmup=1.0,
        steps=(),
        seconds=tuple(
            Second(
                unix=each,
                due=sent[each],
                sent=sent[each],
                answered=ended[each],
                generator_cpu=0.0005 * ended[each],
            )
            for each in span
        ),
        calls={
            name: CallSeries(
                name,
                {k: {s: interval(v) for s, v in rows.items()} for k, rows in kinds.items()},
            )
            for name, kinds in histograms.items()
        },
        accepted_ids=frozenset(),
    )


def interval(values_ms: list[float]) -> IntervalHistogram:
    histogram = blank()
    for value in values_ms:
        histogram.record_value(max(1, round(value * 1000)))
    return IntervalHistogram.of(histogram)


def omit_coordinated(calls: list[Call]) -> list[Call]:
    """Report as one who waits: of the calls that a stall holds up, only the first is seen."""
    shown, blocked = [], 0.0
    for call in calls:
        if call.sent < blocked:
            shown.append(replace(call, service=5.0 + ADDED_MS))
            continue
        if call.service > 50:
            blocked = call.ended
        shown.append(call)
    return shown


def lose(calls: list[Call]) -> list[Call]:
    """Lose one call in a hundred."""
    return [call for number, call in enumerate(calls) if number % 100]


def forget_slow(calls: list[Call]) -> list[Call]:
    """Leave out what took longer than 50 ms, as a timeout that is not counted does."""
    return [call for call in calls if call.service <= 50]


def halve(calls: list[Call]) -> list[Call]:
    """Report half of each time."""
    return [replace(call, service=call.service / 2) for call in calls]


def round_up(calls: list[Call]) -> list[Call]:
    """Report to the next ten milliseconds."""
    return [replace(call, service=-(-call.service // 10) * 10) for call in calls]

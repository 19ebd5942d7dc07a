"""Holds what the instrument reports against what is known to be true. Pure.

Two truths. The stub's journal has the service time of each call: the very calls that the
instrument measured, so that the difference is the instrument's alone (the network of the machine,
gRPC and the client). And the closed form of :mod:`testbed.runs.calibrate.truth` has the response
times under stalls, which no server can know, because it does not know when a call was meant to be
sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from testbed.drive.figures.validity import length_problems
from testbed.record.calls import DELAY, RESPONSE, SERVICE, merge
from testbed.record.model import OPEN, LoadRecording, Window
from testbed.runs.calibrate import truth
from testbed.runs.calibrate.behaviour import METHODS, Mixture
from testbed.runs.calibrate.journal import Journal
from testbed.runs.calibrate.plan import Phase
from testbed.stats import percentile, percentile_interval

PERCENTS = (50.0, 90.0, 95.0, 99.0)
ALLOWED_MS = {50.0: 2.0, 90.0: 5.0, 95.0: 10.0, 99.0: 30.0}
"""The error that the instrument states of itself: what it may add at most at each percentile."""
BELOW_MS = 0.1
"""What it may report too little of a service time: clocks and the three digits of a histogram."""
DIGITS = 0.001
TIMER_MS = 2.0
RATE_OFF = 0.02
CUT_SECONDS = 0.1


@dataclass(frozen=True)
class PercentileCheck:
    """One percentile as reported and in truth, in milliseconds.

    ``low`` and ``high`` are its order-statistic interval. The truth may lie ``above`` less than
    the reported figure and ``below`` more, beyond the interval, and the two still agree.
    """

    phase: str
    kind: str
    method: str
    percent: float
    reported: float
    low: float
    high: float
    true: float
    above: float
    below: float
    samples: int

    @property
    def error(self) -> float:
        """Reported less true."""
        return self.reported - self.true

    @property
    def error_percent(self) -> float:
        """The error in percent of the truth."""
        return 100 * self.error / self.true

    @property
    def agrees(self) -> bool:
        """Whether reported and true agree within the stated error and the interval."""
        return self.low - self.above <= self.true <= self.high + self.below


@dataclass(frozen=True)
class Check:
    """A count or a rate that must be right, in words with its figures."""

    phase: str
    words: str
    agrees: bool


@dataclass(frozen=True)
class PhaseFigures:
    """All that is known of one phase.

    ``delay`` has percentiles of the send delay in milliseconds (open loop only), ``cpu_ms`` the
    generator's CPU per call.
    """

    phase: Phase
    window: Window
    lines: tuple[PercentileCheck, ...]
    checks: tuple[Check, ...]
    delay: dict[float, float]
    rate: float
    calls: int
    cpu_ms: float

    @property
    def agrees(self) -> bool:
        """Whether everything agrees; that nothing could be compared is no agreement."""
        return (
            bool(self.lines)
            and all(line.agrees for line in self.lines)
            and all(check.agrees for check in self.checks)
        )


def compare(phase: Phase, load: LoadRecording, journal: Journal) -> PhaseFigures:
    """Compare one phase; figures are of the window, counts of the whole drive."""
    window = measured(phase, load)
    seconds = load.in_window(window)
    sent = sum(each.sent for each in seconds)
    ended = sum(each.ended for each in seconds)
    cpu = sum(each.generator_cpu for each in seconds)
    lines = list(_service_lines(phase, load, journal, window))
    delay = {}
    if phase.loop == OPEN:
        lines += _response_lines(phase, load, window)
        delays = merge(
            interval
            for series in load.calls.values()
            for _, interval in series.each_second(DELAY, window)
        )
        delay = {each: (percentile(delays, each) or 0.0) / 1000 for each in PERCENTS}
    return PhaseFigures(
        phase=phase,
        window=window,
        lines=tuple(lines),
        checks=tuple(_checks(phase, load, journal, sent / window.seconds)),
        delay=delay,
        rate=sent / window.seconds,
        calls=ended,
        cpu_ms=1000 * cpu / ended if ended else 0.0,
    )


def measured(phase: Phase, load: LoadRecording) -> Window:
    """Return the whole seconds after the warm-up, cut to whole periods of the stall."""
    window = load.after_nominal
    if phase.behaviour.stall is None:
        return window
    period = round(phase.behaviour.stall.period)
    length = int(window.seconds) // period * period
    return Window(window.from_unix, window.from_unix + length)


def _service_lines(
    phase: Phase, load: LoadRecording, journal: Journal, window: Window
) -> Iterator[PercentileCheck]:
    for method in METHODS:
        served = journal.service_ms(method, window)
        for percent in PERCENTS:
            true = percentile(served, percent)
            if true is not None:
                yield from _line(
                    phase, load, window, SERVICE, method, percent, true, below=BELOW_MS
                )


def _response_lines(phase: Phase, load: LoadRecording, window: Window) -> Iterator[PercentileCheck]:
    stall = phase.behaviour.stall
    # Even arrivals meet a stall on a grid, and the stub's own timers are late by a millisecond.
    grid = 0.0 if stall is None else 1000 / phase.rate
    for method in METHODS:
        service: Mixture = phase.behaviour.service[method]
        for percent in PERCENTS:
            true = truth.open_loop_percentile(service, stall, percent)
            yield from _line(
                phase,
                load,
                window,
                RESPONSE,
                method,
                percent,
                true,
                below=BELOW_MS + grid,
                above=grid + TIMER_MS,
            )


def _line(
    phase: Phase,
    load: LoadRecording,
    window: Window,
    kind: str,
    method: str,
    percent: float,
    true: float,
    *,
    below: float,
    above: float = 0.0,
) -> Iterator[PercentileCheck]:
    """Give the line of a percentile, none if there are too few calls to speak of it."""
    if method not in load.calls:
        return
    histogram = load.calls[method].histogram(kind, window)
    interval = percentile_interval(histogram, percent)
    if interval is None:
        return
    yield PercentileCheck(
        phase=phase.name,
        kind=kind,
        method=method,
        percent=percent,
        reported=interval.estimate / 1000,
        low=interval.low / 1000,
        high=interval.high / 1000,
        true=true,
        above=above + ALLOWED_MS[percent] + DIGITS * true,
        below=below + DIGITS * true,
        samples=interval.blocks,
    )


def _checks(phase: Phase, load: LoadRecording, journal: Journal, rate: float) -> Iterator[Check]:
    sent = sum(each.sent for each in load.seconds)
    recorded = sum(each.ended for each in load.seconds)
    failed = sum(each.definite + each.indefinite for each in load.seconds)
    dropped = sum(each.dropped for each in load.seconds)
    due = sum(each.due for each in load.seconds)
    # Calls that the stub answered as the drive ended need not be in the recording.
    least = journal.answered_before(load.window.to_unix - CUT_SECONDS)
    if load.asked_seconds is not None:
        lasted, asked = load.window.seconds, load.asked_seconds
        yield Check(
            phase.name,
            f"the drive lasted {lasted:.2f} s of the {asked:g} s asked for",
            not list(length_problems(load.window, load.asked_seconds)),
        )
    yield Check(
        phase.name,
        f"{sent:,} calls sent, {journal.calls:,} received by the server",
        sent == journal.calls,
    )
    yield Check(
        phase.name,
        f"{recorded:,} calls recorded of {journal.calls:,} answered"
        + ("" if least == journal.calls else f", {journal.calls - least:,} of them at the end"),
        least <= recorded <= journal.calls,
    )
    yield Check(phase.name, f"{failed:,} calls failed", failed == 0)
    if phase.loop == OPEN:
        yield Check(
            phase.name,
            f"{due:,} calls due, {dropped:,} dropped",
            dropped == 0 and abs(due - sent) <= max(2, 0.001 * due),
        )
        off = rate / phase.rate - 1
        yield Check(
            phase.name,
            f"{rate:.1f} calls/s sent where {phase.rate:g} were offered ({off:+.1%})",
            abs(off) <= RATE_OFF,
        )

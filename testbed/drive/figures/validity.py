"""Whether a trial may be compared at all: a void one is left out of every figure, with its reason.

The limits are part of a plan (table ``limits``), so that a result says what it was held to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from testbed.drive.figures import quantiles
from testbed.drive.figures.unmeasured import unmeasured
from testbed.drive.figures.warmup import Cut
from testbed.record.calls import DELAY, RESPONSE, Window, merge
from testbed.record.model import OPEN, LoadRecording, Second, TrialRecording

# A few busy seconds hurt little; a tenth of them reaches into p95.
HOT_SECONDS = 0.1
# Standard deviations by which a Poisson number of arrivals may fall short of its mean.
POISSON_SLACK = 4.0
# The percentiles at which send delays are looked at, and how often the floor each may be.
PERCENTILES = {50: 1.0, 99: 2.0}
# The part of the time asked for that a drive has to last, whatever the plan says.
LEAST_LENGTH = 0.98


@dataclass(frozen=True)
class Limits:
    """What a trial is held to.

    ``offered_miss`` is the share of due calls that may not be sent, dropped ones included.
    ``send_delay_share`` is how much of the response time may be the delay between intended and
    actual send: the delay's p50 and p99 are held against the response's p50 and p99.
    ``send_delay_floor_ms`` is what a generator with nothing else to do is late by, in milliseconds
    at p50 and twice that at p99: a delay up to there voids nothing, whatever its share.
    ``generator_cpu`` is the share of its one core that the load generator may use in a second;
    a tenth of the seconds may be above.
    """

    offered_miss: float = 0.02
    send_delay_share: float = 0.25
    send_delay_floor_ms: float = 1.0
    generator_cpu: float = 0.9


def problems(trial: TrialRecording, cut: Cut, limits: Limits) -> Iterator[str]:
    """Give every reason for which a complete trial is void; ``cut`` is what is measured of it."""
    load = trial.load
    if load is None:
        raise ValueError("a trial that did not complete has nothing to judge")
    yield from length_problems(load.window, load.asked_seconds)
    lost = sum(job.lost for job in trial.jobs)
    if lost:
        yield f"{lost} of {len(load.accepted_ids)} accepted jobs lost"
    if expired := sum(job.expired for job in trial.jobs):
        yield (
            f"{expired} jobs had expired when they were looked up, so it is not known when they "
            "ended: let retention be longer than a trial"
        )
    if left := [job.job_id for job in trial.jobs if job.left]:
        yield f"jobs that nobody was promised and did not end: {len(left)}, such as {left[0]}"
    if not any(call.answered(cut.window) for call in load.calls.values()):
        yield "no call was answered in the measured window"
        return
    yield from generator_problems(load, cut.window, limits)
    yield from unmeasured(trial, cut.window)
    if cut.problem:
        yield cut.problem


def length_problems(window: Window, asked: float | None) -> Iterator[str]:
    """Say that a drive ended too early, whatever the cause: a timer, a master without workers.

    ``asked`` is how many seconds it was to last, ``None`` if that is not known.
    """
    lasted = window.seconds
    if asked is not None and lasted < LEAST_LENGTH * asked:
        yield (
            f"the drive lasted {lasted:.2f} s of the {asked:g} s asked for; "
            f"{LEAST_LENGTH:.0%} is needed"
        )


def generator_problems(load: LoadRecording, window: Window, limits: Limits) -> Iterator[str]:
    """Give the reasons for which the load generator, not the stack, decided what was measured."""
    yield from load_problems(load, window, limits)
    for each in late_sends(load, window, limits):
        if not each.as_when_idle(limits):
            yield each.problem(limits)
            return


def load_problems(load: LoadRecording, window: Window, limits: Limits) -> Iterator[str]:
    """Give the reasons for which what was asked for was not the load that there was.

    Calls that were sent but late are none of these, for their response times say so.
    """
    rows = load.in_window(window)
    if load.loop == OPEN:
        yield from _offered(load, rows, limits)
    yield from _generator(rows, limits)


@dataclass(frozen=True)
class SendDelay:
    """A percentile of the send delay, and the same one of the response time, in milliseconds."""

    percent: int
    late_ms: float
    response_ms: float

    @property
    def share(self) -> float:
        """What part of the response time is the generator's."""
        return self.late_ms / self.response_ms if self.response_ms else 0.0

    def as_when_idle(self, limits: Limits) -> bool:
        """Whether it is no more than a generator with nothing else to do is late by."""
        return self.late_ms <= PERCENTILES[self.percent] * limits.send_delay_floor_ms

    def problem(self, limits: Limits) -> str:
        """Say that it is too large a share."""
        return (
            f"calls were sent late: the send delay's p{self.percent} is {self.late_ms:.2f} ms, "
            f"{self.share:.0%} of the response time's; {limits.send_delay_share:.0%} is allowed"
        )


def send_delays(load: LoadRecording, window: Window) -> tuple[SendDelay, ...]:
    """Return the percentiles of which there are enough calls; of a closed loop there is none.

    Like stands beside like: that a p99 of the delay is near the p50 of the response says nothing,
    for on a busy machine the slowest hundredth of anything is slow.
    """
    if load.loop != OPEN:
        return ()
    delay, response = (
        merge(
            interval
            for call in load.calls.values()
            for _, interval in call.each_second(kind, window)
        )
        for kind in (DELAY, RESPONSE)
    )
    return tuple(
        SendDelay(
            percent, *(each.get_value_at_percentile(percent) / 1000 for each in (delay, response))
        )
        for percent in PERCENTILES
        if quantiles.enough(response.get_total_count(), percent)
    )


def late_sends(load: LoadRecording, window: Window, limits: Limits) -> Iterator[SendDelay]:
    """Give the send delays that are a larger share of the response time than is allowed."""
    for each in send_delays(load, window):
        if each.share > limits.send_delay_share:
            yield each


def late_sends_let_pass(load: LoadRecording, window: Window, limits: Limits) -> Iterator[str]:
    """Say what part of the response times is the generator's, where it is large and no problem."""
    for each in late_sends(load, window, limits):
        if each.as_when_idle(limits):
            yield (
                f"p{each.percent} of the response times, {each.response_ms:.2f} ms, includes "
                f"{each.late_ms:.2f} ms by which the load generator sent late: no more than when "
                "it is idle, but a difference between sides looks smaller for it"
            )


def _offered(load: LoadRecording, rows: tuple[Second, ...], limits: Limits) -> Iterator[str]:
    """Hold what was sent against what was due, and what was due against the rate asked for."""
    due, sent, dropped = (
        sum(getattr(row, name) for row in rows) for name in ("due", "sent", "dropped")
    )
    # In whole calls: 2 of 100 missed are 2 %, whatever 1 - 98/100 is in binary.
    if due and due - sent > math.floor(due * limits.offered_miss + 1e-9):
        yield (
            f"the offered rate was missed by {1 - sent / due:.1%}: of {due:,} calls due {sent:,} "
            f"were sent and {dropped:,} dropped; {limits.offered_miss:.1%} is allowed"
        )
    rate = load.offered.rate
    if rate is None or len(load.steps) > 1:
        return
    wanted = rate * len(rows)
    slack = POISSON_SLACK * math.sqrt(wanted) if load.offered.process == "poisson" else 1.0
    if due < wanted * (1 - limits.offered_miss) - slack:
        yield f"the generator's schedule fell behind: {due:,} calls due, {wanted:,.0f} asked for"


def _generator(rows: tuple[Second, ...], limits: Limits) -> Iterator[str]:
    hot = [row for row in rows if row.generator_cpu > limits.generator_cpu]
    if len(hot) > HOT_SECONDS * len(rows):
        yield (
            f"the load generator ran out of CPU: more than {limits.generator_cpu:g} of its core in "
            f"{len(hot)} of {len(rows)} seconds"
        )

"""Writes figures over several faults: a spread, a share, a time without service."""

from __future__ import annotations

from testbed.report.numbers import NOTHING
from testbed.runs.faults.figures.groups import Group, Spread
from testbed.runs.faults.figures.model import Availability, Downtime

SPREAD_NEEDS = 3
LEAST_SHOWN_S = 0.05


def count(value: int | None) -> str:
    """Write a count; a dash if nobody counted."""
    return NOTHING if value is None else f"{value:,}"


def spread(found: Spread | None, is_count: bool = False) -> str:
    """Write one value or two as they are, more as their median with the range: counts or times."""
    if found is None:
        return NOTHING
    middle, low, high = (_plain(value, is_count) for value in (found.median, found.low, found.high))
    if low == high:
        return low
    if found.count < SPREAD_NEEDS:
        return f"{low}, {high}"
    return f"{middle} ({low}–{high})"


def _plain(value: float, is_count: bool) -> str:
    return f"{value:,.0f}" if is_count else seconds(value)


def share(found: Availability) -> str:
    """Write the share of answered calls, cut and not rounded, so that 100 means all."""
    part = found.share
    if part is None:
        return NOTHING
    if found.answered == found.calls:
        return "100"
    return f"{int(part * 10_000) / 100:.2f}"


def percent(part: float | None) -> str:
    """Write a part of a whole in percent."""
    return NOTHING if part is None else f"{part * 100:.1f}"


def downtime(found: Downtime) -> str:
    """Write the time without service in all and the longest; what is unsure behind a plus."""
    text = f"{seconds(found.total_s)} / {seconds(found.longest_s)}" if found.total_s else "0"
    return f"{text} (+{seconds(found.unsure_s)}?)" if found.unsure_s >= LEAST_SHOWN_S else text


def seconds(value: float) -> str:
    """Write a time to a tenth of a second, which is what a history resolves."""
    if not value:
        return "0"
    return f"{value:.1f}" if value >= LEAST_SHOWN_S else "< 0.1"


def running_again(group: Group) -> str:
    """Write after how long jobs ran again, and how many of them there are."""
    found = group.rerun()
    if found is None:
        return NOTHING
    return f"{spread(found)}, {found.count:,} job{'s' * (found.count != 1)}"


def drained(group: Group) -> str:
    """Write how long the backlog took to drain, and after how many faults it did not in time."""
    left = group.undrained()
    text = spread(group.drained())
    if not left:
        return text
    return f"{left} undrained" if text == NOTHING else f"{text}; {left} undrained"

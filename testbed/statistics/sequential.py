"""Stopping a comparison early, once it knows enough."""

from __future__ import annotations

from testbed.statistics.intervals import Interval

LOOK_BLOCKS = 5
LOOK_CONFIDENCE = 0.99


def enough(ratio: Interval | None, target_half_width: float, *, least: int = LOOK_BLOCKS) -> bool:
    """Whether a comparison may stop, because the interval of a ratio is narrow enough.

    ``target_half_width`` is relative: 0.05 asks for "5 % up or down" at ``LOOK_CONFIDENCE``, stricter than the interval that is reported. Looks before ``least`` blocks
    never stop. With several metrics stop when all of them are enough. Raises ``ValueError`` unless
    the target is above 0.
    """
    raise NotImplementedError

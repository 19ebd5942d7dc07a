"""Stopping a comparison early, once it knows enough.

To stop when the result looks good makes false results more likely: every interim analysis is
another opportunity for one (Armitage, McPherson and Rowe, 1969). The rule here stops on the width
of the interval alone, which says nothing about where the ratio lies. What is left of the inflation
is that a width is small by chance when the spread is underestimated (Anscombe 1953; Chow and
Robbins 1965). Two bounds keep it small: no interim analysis before ``MIN_STOPPING_BLOCKS`` blocks,
and each takes the wider interval of ``STOPPING_CONFIDENCE``. The measured coverage after stopping
is in ``docs/statistics.md``.
"""

from __future__ import annotations

import math

from testbed.stats.intervals import Interval

MIN_STOPPING_BLOCKS = 5
STOPPING_CONFIDENCE = 0.99


def enough(
    ratio: Interval | None, target_half_width: float, *, least: int = MIN_STOPPING_BLOCKS
) -> bool:
    """Whether a comparison may stop, because the interval of a ratio is narrow enough.

    ``target_half_width`` is relative: 0.05 asks that the interval at ``STOPPING_CONFIDENCE``
    (stricter than the one that is reported) reaches no further than 5 % up or down. With fewer than
    ``least`` blocks, or without an interval, none stops. With several metrics stop when all are
    enough. Raises ``ValueError`` unless the target is above 0, and for ``least`` below 2.
    """
    if not 0 < target_half_width < math.inf:
        raise ValueError(f"the target is {target_half_width}; it must be above 0, as in 0.05")
    if least < 2:
        raise ValueError(f"an analysis after {least} blocks sees no spread: two are needed")
    if ratio is None or ratio.blocks < least:
        return False
    return ratio.at(STOPPING_CONFIDENCE).factor <= 1 + target_half_width

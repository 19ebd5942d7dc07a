"""Where the warm-up of a trial ends, found from its per-second figures."""

from __future__ import annotations

from collections.abc import Sequence


def warmup_end(series: Sequence[float], *, at_least: int = 0) -> int | None:
    """Return the index at which the steady state begins, ``None`` if it never does.

    ``series`` has one value per second (throughput, a latency, CPU: what should be steady).
    ``at_least`` is the nominal warm-up in seconds: the result is never below it. With fewer than
    ten values after it nothing can be found, and the nominal warm-up stands. "Never" means that
    by the middle of the values after the nominal warm-up the series has not become steady.

    Raises ``ValueError`` if a value is not finite, or if ``at_least`` is negative.
    """
    raise NotImplementedError

"""How often verdicts are wrong on identical systems, and how often they see a difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from studies.tables import percent, progress, table
from testbed.stats.intervals import Interval
from testbed.stats.ratios import ratio_interval
from testbed.stats.verdicts import Measured, Outcome, noise_floor, p_value, verdicts

METRICS = 30
LEVEL = 0.05
SHOWN = {Outcome.A_BETTER, Outcome.B_BETTER}


def report(
    rng: np.random.Generator, blocks: int, ratio: float, spread: float, order_bias: float = 0.0
) -> list[Interval]:
    """Return the ratios of 30 metrics of which half of the noise is shared, as in one trial."""
    shared = rng.standard_normal((2, blocks, 1))
    own = rng.standard_normal((2, blocks, METRICS))
    logs = spread * (shared + own) / np.sqrt(2)
    logs[1] += np.log(ratio) + order_bias
    first, second = np.exp(logs)
    intervals = [
        ratio_interval(first[:, [each]].tolist(), second[:, [each]].tolist())
        for each in range(METRICS)
    ]
    return [each for each in intervals if each is not None]


def study(repeats: int, seed: int) -> str:
    """Return a table: reports on identical systems that name a difference, and power."""
    rows = []
    for blocks in (3, 5, 8):
        for ratio, bias in ((1.0, 0.0), (1.0, 0.03), (0.9, 0.0), (0.8, 0.0)):
            for control in (False, True):
                progress(f"verdicts: {blocks} blocks, ratio {ratio}, bias {bias}, {control}")
                rng = np.random.default_rng([seed, blocks])
                cells = _rates(rng, blocks, ratio, bias, control, repeats)
                truth = f"{ratio:g}{f', order bias {100 * bias:.0f} %' if bias else ''}"
                rows.append([truth, str(blocks), "yes" if control else "no", *cells])
    head = ["true ratio", "blocks", "control", "each alone", "Holm", "**Benjamini-Hochberg**"]
    return table(head, rows)


def _rates(
    rng: np.random.Generator,
    blocks: int,
    ratio: float,
    bias: float,
    control: bool,
    repeats: int,
) -> list[str]:
    """Return rates in percent: reports with any difference if there is none, else metrics with."""
    seen = np.zeros((repeats, 3, METRICS), dtype=bool)
    for row in range(repeats):
        noises: Sequence[Interval | None] = [None] * METRICS
        if control:
            noises = report(rng, blocks, 1.0, 0.05, bias)
        ratios = report(rng, blocks, ratio, 0.05, bias)
        raw = np.array(
            [
                p_value(each, noise_floor(noise) or 0.0)
                for each, noise in zip(ratios, noises, strict=True)
            ]
        )
        family = [
            Measured("", each, noise, "lower") for each, noise in zip(ratios, noises, strict=True)
        ]
        seen[row, 0] = raw <= LEVEL
        seen[row, 1] = _holm(raw)
        seen[row, 2] = [each.outcome in SHOWN for each in verdicts(family)]
    rates = seen.any(axis=2).mean(axis=0) if ratio == 1 else seen.mean(axis=(0, 2))
    return [percent(float(rate)) for rate in rates]


def _holm(raw: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which hypotheses Holm's method (1979) rejects."""
    order = np.argsort(raw)
    passed = raw[order] <= LEVEL / np.arange(len(raw), 0, -1)
    count = len(raw) if passed.all() else int(np.argmin(passed))
    rejected = np.zeros(len(raw), dtype=bool)
    rejected[order[:count]] = True
    return rejected

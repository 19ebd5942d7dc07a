"""How well the end of the warm-up is found."""

from __future__ import annotations

import numpy as np

from studies.coverage import synthetic
from studies.tables import percent, progress, table
from testbed.stats.steady import warmup_end

LENGTHS = (15, 30, 60, 180)
NOISES = ((0.0, 0.03), (0.5, 0.05), (0.8, 0.05))


def study(repeats: int, seed: int) -> str:
    """Return a table: how often "never", and where the cut falls otherwise, as a share."""
    rows = []
    for shape in synthetic.WARMUPS:
        for count in LENGTHS:
            progress(f"warm-up: {shape}, {count} seconds")
            cells = [_cell(shape, count, *noise, repeats, seed) for noise in NOISES]
            rows.append([shape, str(count), *cells])
    heads = [f"noise {100 * spread:.0f} %, correlation {related:g}" for related, spread in NOISES]
    return table(["warm-up, as a share of the series", "seconds", *heads], rows)


def _cell(shape: str, count: int, related: float, spread: float, repeats: int, seed: int) -> str:
    rng = np.random.default_rng([seed, count, round(10 * related)])
    ends = [
        warmup_end(synthetic.warming(rng, shape, count, related, spread).tolist())
        for _ in range(repeats)
    ]
    found = [end / count for end in ends if end is not None]
    never = percent(1 - len(found) / repeats)
    if len(found) < repeats / 20:
        return f"never {never}"
    low, middle, high = np.quantile(found, [0.1, 0.5, 0.9])
    return f"never {never}; {middle:.2f} ({low:.2f}–{high:.2f})"

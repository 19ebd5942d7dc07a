"""Which interval of a mean covers as promised on series with autocorrelation."""

from __future__ import annotations

import numpy as np

from studies.coverage import synthetic
from studies.coverage.candidates import MEANS
from studies.tables import percent, progress, table

LENGTHS = (15, 30, 60, 300)
CASES = ((0.0, 0.0), (0.5, 0.0), (0.8, 0.0), (0.8, 1.0), (0.9, 1.0))
CONFIDENCE = 0.95


def study(repeats: int, seed: int) -> str:
    """Return a table: coverage of each candidate, in percent."""
    rows = []
    for related, white in CASES:
        for count in LENGTHS:
            progress(f"mean: correlation {related}, white {white}, {count} seconds")
            rng = np.random.default_rng([seed, count])
            hits = dict.fromkeys(MEANS, 0)
            for _ in range(repeats):
                series = synthetic.seconds(rng, count, related, white)
                for method, ends in MEANS.items():
                    low, high = ends(series, CONFIDENCE, rng)
                    hits[method] += low <= 100 <= high
            label = f"{related:g}{' and white noise' if white else ''}"
            rows.append([label, str(count), *(percent(hits[each] / repeats) for each in MEANS)])
    return table(["correlation of neighbours", "seconds", *MEANS], rows)

"""How often order-statistic intervals hold the true percentile."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from studies.coverage import synthetic
from studies.tables import percent, progress, table
from testbed.stats.percentiles import design_effect, percentile, percentile_interval

PERCENTS = (50.0, 95.0, 99.0)
SAMPLES = (200, 1000, 10000)
SECONDS = 60


def independent(repeats: int, seed: int) -> str:
    """Return a table for independent calls with lognormal latencies."""
    rows = []
    for count in SAMPLES:
        progress(f"percentiles: {count} independent calls")
        rows.append([str(count), *(_independent(each, count, repeats, seed) for each in PERCENTS)])
    return table(["calls", *(f"p{each:g}" for each in PERCENTS)], rows)


def _independent(percent_: float, count: int, repeats: int, seed: int) -> str:
    rng = np.random.default_rng([seed, count])
    truth = math.exp(float(stats.norm.ppf(percent_ / 100)))
    intervals = [
        percentile_interval(np.exp(rng.standard_normal(count)), percent_) for _ in range(repeats)
    ]
    given = [each for each in intervals if each is not None]
    if not given:
        return "not enough"
    return percent(sum(each.holds(truth) for each in given) / len(given))


def clumped(repeats: int, seed: int) -> str:
    """Return a table for calls whose seconds are slow or fast together."""
    rows = []
    for related in (0.0, 0.5, 0.8):
        for each in PERCENTS:
            progress(f"percentiles: seconds with correlation {related}, p{each:g}")
            rng = np.random.default_rng([seed, round(10 * related)])
            results = [_clumped(rng, related, each) for _ in range(repeats)]
            plain, effects = (np.array(column) for column in zip(*results, strict=True))
            shown = effects[effects >= 0]
            rows.append(
                [
                    f"{related:g}",
                    f"p{each:g}",
                    percent(float(plain.mean())),
                    percent(float(shown.mean())) if len(shown) else "-",
                    percent(1 - len(shown) / repeats),
                ]
            )
    head = ["correlation", "percentile", "as if independent", "with the effect", "not enough"]
    return table(head, rows)


def _clumped(rng: np.random.Generator, related: float, percent_: float) -> tuple[bool, int]:
    """Return whether each interval holds the truth; -1 for not enough with the design effect."""
    swings = 0.5 * synthetic.correlated(rng, SECONDS, related)
    logs = swings[:, None] + rng.standard_normal((SECONDS, 100))
    truth = math.sqrt(1.25) * float(stats.norm.ppf(percent_ / 100))
    plain = percentile_interval(logs.ravel(), percent_)
    middle = percentile(logs.ravel(), percent_)
    assert plain is not None, "6,000 calls are enough"
    assert middle is not None, "6,000 calls are enough"
    effect = design_effect([100] * SECONDS, (logs <= middle).sum(axis=1).tolist())
    wide = percentile_interval(logs.ravel(), percent_, effect=effect)
    return plain.holds(truth), -1 if wide is None else int(wide.holds(truth))

"""Statistics of measurements: pure functions on numbers, without files, clocks or processes.

What each method is, why it was chosen and how often its intervals hold the truth is in
``docs/statistics.md``. A function that has too few data returns ``None``, never a made-up figure;
arguments that make no sense raise ``ValueError``.

=====================  ===========================================================================
``ratio_interval``     second/first over blocks of trials, with its confidence interval
``noise_floor``        how far a side would be from itself in the same run
``percentile_interval``  a percentile of calls and its order-statistic interval
``mean_interval``      the mean of a per-second series, autocorrelation respected
``warmup_end``         where in a per-second series the steady state begins
``verdict``            what one ratio says; ``verdicts`` for all metrics of a comparison together
``enough``             whether a comparison may stop early
``fit_usl``            the Universal Scalability Law through throughput at several loads
``PeriodicStall``      exact response times under a known stall, to check instruments against
=====================  ===========================================================================
"""

from testbed.stats.intervals import Interval
from testbed.stats.means import mean_interval
from testbed.stats.percentiles import (
    CumulativeCounts,
    design_effect,
    percentile,
    percentile_interval,
    samples_needed,
)
from testbed.stats.ratios import noise_floor, ratio_interval
from testbed.stats.sequential import MIN_STOPPING_BLOCKS, enough
from testbed.stats.stall import PeriodicStall
from testbed.stats.steady import warmup_end
from testbed.stats.usl import UslFit, fit_usl
from testbed.stats.verdicts import Better, Measured, MetricVerdict, RatioOutcome, verdict, verdicts

__all__ = [
    "MIN_STOPPING_BLOCKS",
    "Better",
    "CumulativeCounts",
    "Interval",
    "Measured",
    "MetricVerdict",
    "PeriodicStall",
    "RatioOutcome",
    "UslFit",
    "design_effect",
    "enough",
    "fit_usl",
    "mean_interval",
    "noise_floor",
    "percentile",
    "percentile_interval",
    "ratio_interval",
    "samples_needed",
    "verdict",
    "verdicts",
    "warmup_end",
]

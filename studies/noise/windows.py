"""Consecutive trials taken as if they were a run of two sides, and judged as a run is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from studies.noise.recorded import Recorded
from testbed.drive.figures.metrics import Metric
from testbed.stats import Measured, MetricVerdict, noise_floor, ratio_interval, verdicts

# Trials of a block: two sides in an order, and in its mirror.
IN_BLOCK = 4
Side = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """A run: trials of each side, shape (blocks, 2, metrics), in truth all of the same side."""

    metrics: tuple[Metric, ...]
    first: Side
    second: Side

    @cached_property
    def measured(self) -> list[Measured]:
        """Every metric as it is judged; there is no difference in it."""
        return [self._measure(index, 1.0) for index in range(len(self.metrics))]

    def verdicts(self, effects: Mapping[int, float] | None = None) -> tuple[MetricVerdict, ...]:
        """Judge all metrics, those of ``effects`` as if the second side had so many times more."""
        changed = {index: self._measure(index, times) for index, times in (effects or {}).items()}
        return verdicts([changed.get(index, each) for index, each in enumerate(self.measured)])

    def _measure(self, index: int, times: float) -> Measured:
        first, second = (
            self.first[:, :, index].tolist(),
            (self.second[:, :, index] * times).tolist(),
        )
        metric = self.metrics[index]
        assert metric.better, "only judged metrics are in the data"
        return Measured(
            metric.label, ratio_interval(first, second), noise_floor(first, second), metric.better
        )


def windows(recorded: Recorded, blocks: int, orders: int, seed: int = 0) -> Iterator[Window]:
    """Give runs of so many blocks from every trial on, each in ``orders`` different orders.

    The orders are drawn at random, from the half of them that begin with the first side: with the
    sides exchanged a run says the same. Runs overlap, so that they are worth fewer than they are.
    """
    rng = np.random.default_rng(seed)
    length, half = IN_BLOCK * blocks, 2 ** (blocks - 1)
    for start in range(len(recorded.values) - length + 1):
        trials = recorded.values[start : start + length].reshape(blocks, IN_BLOCK, -1)
        outer, inner = trials[:, [0, 3]], trials[:, [1, 2]]
        for code in rng.choice(half, size=min(orders, half), replace=False):
            turned = ((code >> np.arange(blocks)) & 1)[:, None, None] == 1
            yield Window(
                recorded.metrics, np.where(turned, inner, outer), np.where(turned, outer, inner)
            )

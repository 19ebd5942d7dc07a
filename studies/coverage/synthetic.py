"""Data whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Floats = NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, ...]], Floats]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Normal noise with a standard deviation of 1."""
    return rng.standard_normal(shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student's t with three degrees of freedom: outliers now and then. Standard deviation 1."""
    return rng.standard_t(3, shape) / math.sqrt(3)


def hiccups(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Normal noise, and one in ten values slower by five standard deviations. Mean 0."""
    return rng.standard_normal(shape) + 5 * ((rng.random(shape) < 0.1) - 0.1)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """An exponential distribution less its mean: standard deviation 1, a tail upwards."""
    return rng.exponential(1.0, shape) - 1


NOISES: dict[str, Noise] = {
    "normal": normal,
    "heavy tails": heavy,
    "hiccups": hiccups,
    "skewed": skewed,
}


def blocks(
    rng: np.random.Generator,
    noise: Noise,
    count: int,
    *,
    ratio: float = 1.0,
    spread: float = 0.05,
    block_spread: float = 0.2,
    second_spread: float = 1.0,
    trials: int = 1,
) -> tuple[list[list[float]], list[list[float]]]:
    """Return ``trials`` per side and block, of which second/first is truly ``ratio``.

    ``spread`` is that of the log of a trial, ``block_spread`` that of what both sides of a block
    share, ``second_spread`` how many times the first side's spread the second side has. The true
    ratio is that of geometric means.
    """
    shared = block_spread * rng.standard_normal((count, 1))
    own = spread * noise(rng, (2, count, trials)) * np.array([1.0, second_spread])[:, None, None]
    first, second = np.exp(shared + own[0]), ratio * np.exp(shared + own[1])
    return first.tolist(), second.tolist()


def correlated(rng: np.random.Generator, count: int, related: float) -> Floats:
    """Return an AR(1) series of mean 0 and standard deviation 1, correlation ``related``."""
    steps = rng.standard_normal(count) * math.sqrt(1 - related**2)
    steps[0] = rng.standard_normal()
    series: Floats = signal.lfilter([1.0], [1.0, -related], steps)
    return series


def seconds(rng: np.random.Generator, count: int, related: float, white: float) -> Floats:
    """Return a per-second series of mean 100: slow swings, and ``white`` noise besides them."""
    swings = correlated(rng, count, related)
    return 100 + 10 * (swings + white * rng.standard_normal(count))


def throughput(load: Floats, rate: float, sigma: float, kappa: float) -> Floats:
    """Return the throughput of the Universal Scalability Law at each load."""
    return rate * load / (1 + sigma * (load - 1) + kappa * load * (load - 1))


WARMUPS: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda at: 0 * at + 1,
    "step at 0.2": lambda at: np.where(at < 0.2, 0.6, 1.0),
    "ramp to 0.25": lambda at: np.where(at < 0.25, 0.4 + 2.4 * at, 1.0),
    "decay, scale 0.05": lambda at: 1 - 0.5 * np.exp(-at / 0.05),
    "ramp to the end": lambda at: 0.5 + 0.5 * at,
    "step at 0.7": lambda at: np.where(at < 0.7, 1.0, 0.6),
}


def warming(
    rng: np.random.Generator, shape: str, count: int, related: float, spread: float
) -> Floats:
    """Return a per-second series with a warm-up of the named shape over its share of the time."""
    level = WARMUPS[shape](np.arange(count) / count)
    noisy: Floats = 100 * (level + spread * correlated(rng, count, related))
    return noisy

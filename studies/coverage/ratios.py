"""Which interval of a ratio covers as promised with few blocks, and stopping early."""

from __future__ import annotations

import math

import numpy as np

from studies.coverage import synthetic
from studies.coverage.candidates import RATIOS
from studies.tables import percent, progress, table
from testbed.stats.ratios import log_ratios, ratio_interval
from testbed.stats.sequential import enough

BLOCKS = (3, 5, 10)
CONFIDENCE = 0.95


def study(repeats: int, seed: int) -> str:
    """Return a table: coverage of each candidate, in percent, and its width."""
    rows = []
    cases = [(name, 1.0) for name in synthetic.NOISES] + [("skewed", 3.0)]
    for name, second_spread in cases:
        for count in BLOCKS:
            progress(f"ratio: {name} noise, {count} blocks")
            held = _held(name, second_spread, count, repeats, seed)
            label = name if second_spread == 1 else f"{name}, B three times A's"
            rows.append([label, str(count), *held])
    return table(["noise of a trial", "blocks", *RATIOS], rows)


def mirrored(repeats: int, seed: int) -> str:
    """Return a table: coverage of the interval with two trials of each side in a block."""
    rows = []
    for name, second_spread in [(name, 1.0) for name in synthetic.NOISES] + [("skewed", 3.0)]:
        progress(f"mirrored: {name} noise")
        cells = [_mirrored(name, second_spread, count, repeats, seed) for count in BLOCKS]
        rows.append([name if second_spread == 1 else f"{name}, B three times A's", *cells])
    return table(["noise of a trial", *(f"{count} blocks" for count in BLOCKS)], rows)


def _mirrored(name: str, second_spread: float, count: int, repeats: int, seed: int) -> str:
    rng = np.random.default_rng([seed, count, int(second_spread)])
    held, width = 0, 0.0
    for _ in range(repeats):
        sides = synthetic.blocks(
            rng,
            synthetic.NOISES[name],
            count,
            ratio=0.8,
            second_spread=second_spread,
            trials=2,
        )
        ratio = ratio_interval(*sides, confidence=CONFIDENCE)
        assert ratio is not None, "synthetic values are above 0"
        held += ratio.holds(0.8)
        width += 2 * math.log(ratio.factor)
    return f"{percent(held / repeats)} ({_width(width, repeats)})"


def _held(name: str, second_spread: float, count: int, repeats: int, seed: int) -> list[str]:
    rng = np.random.default_rng([seed, count, int(second_spread)])
    hits, widths = dict.fromkeys(RATIOS, 0), dict.fromkeys(RATIOS, 0.0)
    for _ in range(repeats):
        sides = synthetic.blocks(
            rng, synthetic.NOISES[name], count, ratio=0.8, second_spread=second_spread
        )
        logs = log_ratios(*sides)
        assert logs is not None, "synthetic values are above 0"
        for method, ends in RATIOS.items():
            low, high = ends(logs, CONFIDENCE, rng)
            hits[method] += low <= math.log(0.8) <= high
            widths[method] += high - low
    return [f"{percent(hits[each] / repeats)} ({_width(widths[each], repeats)})" for each in RATIOS]


def _width(total: float, repeats: int) -> str:
    half = total / repeats / 2
    return f"±{100 * math.expm1(half):.0f} %" if half < 3 else "∞"


# The earliest block, whether the interval is the strict one, and trials of a side in a block.
RULES: dict[str, tuple[int, bool, int]] = {
    "no early stop": (99, True, 2),
    "95 % interval, from 3 blocks": (3, False, 2),
    "**99 % interval, from 3 blocks**": (3, True, 2),
    "**99 % interval, from 5 blocks**": (5, True, 2),
    "99 % interval, from 5 blocks of one trial a side": (5, True, 1),
}


def stopping(repeats: int, seed: int) -> str:
    """Return a table: coverage of the interval that is reported after stopping early."""
    rows = []
    for name, noise in synthetic.NOISES.items():
        for rule in RULES:
            progress(f"early stop: {name} noise, {rule}")
            rng = np.random.default_rng([seed, 7])
            ends = [_stopped(rule, rng, noise) for _ in range(repeats)]
            held = sum(held for held, _ in ends) / repeats
            used = sum(blocks for _, blocks in ends) / repeats
            rows.append([name, rule, percent(held), f"{used:.1f}"])
    return table(["noise of a trial", "stop at ±5 % by", "coverage, %", "blocks used"], rows)


def _stopped(rule: str, rng: np.random.Generator, noise: synthetic.Noise) -> tuple[bool, int]:
    target = 0.05
    least, strict, trials = RULES[rule]
    first, second = synthetic.blocks(rng, noise, 15, ratio=0.8, spread=0.03, trials=trials)
    for count in range(2, 16):
        ratio = ratio_interval(first[:count], second[:count], confidence=CONFIDENCE)
        assert ratio is not None, "synthetic values are above 0"
        narrow = (
            enough(ratio, target, least=least)
            if strict
            else count >= least and ratio.factor <= 1 + target
        )
        if narrow or count == 15:
            return ratio.holds(0.8), count
    raise AssertionError("the last analysis always stops")

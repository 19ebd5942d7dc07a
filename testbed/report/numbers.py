"""Numbers for a reader: three significant digits, and a ratio in words."""

from __future__ import annotations

NOTHING = "–"


def number(value: float, is_count: bool = False) -> str:
    """Write a count in full, another number with three significant digits."""
    if is_count or value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) < 1:
        return f"{value:#.3g}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def optional(value: float | None, is_count: bool = False) -> str:
    """Write a number, or a dash where there is none."""
    return NOTHING if value is None else number(value, is_count)


def with_unit(value: float, unit: str) -> str:
    """Write a figure with its unit, a rate in words."""
    return f"{number(value)} {'per second' if unit == '1/s' else unit}"


def change(ratio: float, first: str, second: str) -> str:
    """Say how the second compares with the first, whose figures have this ratio.

    Up to twofold in percent, beyond that as a multiple of the smaller one.
    """
    if ratio >= 2:
        return f"{number(ratio)} times as high in {second} as in {first}"
    if ratio <= 0.5:
        return f"{number(1 / ratio)} times as high in {first} as in {second}"
    percent = abs(ratio - 1) * 100
    if percent < 0.05:
        return f"the same in {second} as in {first}"
    return f"{percent:.3g} % {'higher' if ratio > 1 else 'lower'} in {second} than in {first}"


def plural(count: int, word: str) -> str:
    """Write a count with its word."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def listed(words: list[str]) -> str:
    """Join words as a sentence does."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"

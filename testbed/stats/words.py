"""Sentences of verdicts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from testbed.stats.intervals import Interval


@dataclass(frozen=True)
class Sentence:
    """Says what one metric shows, by its label, its noise floor and the names of the sides."""

    label: str
    claim: str
    floor: float | None
    sides: tuple[str, str]

    def better(self, side: int, ratio: Interval) -> str:
        """One side is better: its name, by how much, and beyond which noise."""
        winner = self.sides[side]
        if self.claim:
            head = f"{winner} {self.claim}: {self.label}"
        else:
            head = f"{winner} is better in {self.label}: it"
        beyond = (
            "; no side has two trials in a block, so there is no noise floor"
            if self.floor is None
            else f", beyond the noise floor of {_floor(self.floor)}"
        )
        return f"{head} is {self._ratio(ratio, side)}{beyond}"

    def no_difference(
        self, ratio: Interval, *, by_chance: bool = False, is_small: bool = False
    ) -> str:
        """Nothing is shown, with what is ruled out.

        That is due to the family if ``by_chance``, and to the size of the difference if it
        ``is_small``.
        """
        reach = max(ratio.high, 1 / ratio.low) - 1
        if by_chance:
            why = ", off the noise, but among so many metrics one like it is expected by chance"
        elif is_small and not ratio.holds(1):
            why = ", off 1, but by too little to matter"
        else:
            why = self._within(ratio)
        return (
            f"No difference shown in {self.label}: {self._ratio(ratio, 1, subject=True)}{why}; "
            f"more than {_percent(reach)} either way is unlikely"
        )

    def too_wide(self, ratio: Interval) -> str:
        """The interval spans so much that nothing shown means nothing."""
        return (
            f"Not enough data on {self.label}: {self._ratio(ratio, 1, subject=True)}, "
            "an interval too wide to decide"
        )

    def missing(self, ratio: Interval | None, least: int) -> str:
        """There is no ratio, or one of too few blocks."""
        why = (
            "no ratio, for values are missing, zero, or too few"
            if ratio is None
            else f"{ratio.blocks} blocks with both sides, at least {least} are needed"
        )
        return f"Not enough data on {self.label}: {why}"

    def _within(self, ratio: Interval) -> str:
        if self.floor is None or ratio.holds(1):
            return ", an interval that holds 1"
        return f", not clear of the noise floor of {_floor(self.floor)}"

    def _ratio(self, ratio: Interval, side: int, *, subject: bool = False) -> str:
        """Say the ratio as the given side's over the other's."""
        names = self.sides if side else self.sides[::-1]
        value, low, high = ratio.estimate, ratio.low, ratio.high
        if not side:
            value, low, high = 1 / value, 1 / high, 1 / low
        whose = f"{names[1]}'s is " if subject else ""
        relation = "of" if value < 1 else "times"
        return f"{whose}{_figure(value)} {relation} {names[0]}'s ({_figure(low)}–{_figure(high)})"


def _figure(value: float) -> str:
    """Two decimals, more for small ratios, fewer for large ones."""
    decimals = 2 if value < 10 else 0
    if 0 < value < 0.1:
        decimals = min(6, 1 - math.floor(math.log10(value)))
    return f"{value:.{decimals}f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1f} %"


def _floor(floor: float) -> str:
    return f"±{_percent(floor)}"

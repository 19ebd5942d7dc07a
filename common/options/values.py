"""What the value of an option may be, written as text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


class Values(Protocol):
    """The possible values of an option."""

    @property
    def words(self) -> str:
        """Say in a few words which there are."""

    def problem(self, text: str) -> str:
        """Say what is wrong with a value; empty if nothing is."""


@dataclass(frozen=True)
class Number:
    """A number in a range, whole or not; with ``above`` its lower end is excluded."""

    least: float
    most: float
    unit: str = ""
    whole: bool = False
    above: bool = False

    @property
    def words(self) -> str:
        """Say in a few words which there are."""
        start = f"above {_plain(self.least)}" if self.above else f"{_plain(self.least)}"
        kind = "a whole number, " if self.whole else ""
        unit = f" {self.unit}" if self.unit else ""
        return f"{kind}{start} to {_plain(self.most)}{unit}"

    def problem(self, text: str) -> str:
        """Say what is wrong with a value; empty if nothing is."""
        try:
            value = float(int(text)) if self.whole else float(text)
        except ValueError:
            return f"is not {self.words}"
        inside = self.least <= value <= self.most and not (self.above and value == self.least)
        return "" if math.isfinite(value) and inside else f"is not {self.words}"


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    known: tuple[str, ...]

    @property
    def words(self) -> str:
        """Say in a few words which there are."""
        return "|".join(self.known)

    def problem(self, text: str) -> str:
        """Say what is wrong with a value; empty if nothing is."""
        return "" if text in self.known else f"is none of {', '.join(self.known)}"


SWITCH = Choice(("on", "off"))


def _plain(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:g}"

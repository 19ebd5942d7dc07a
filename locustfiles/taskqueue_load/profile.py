"""The load that is asked for over time, and its text form (``--shape``).

A load is a row of straight pieces. It means users in a closed loop and calls per second in an open
one; nothing here knows which.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

EXAMPLES = (
    "steps:50,100,200@10s (each for 10 s), ramp:10,200@1m (from 10 to 200), "
    "spike:50,500@30s,10s (50, then 500 for 10 s, then 50) or sine:50,150@1m (one wave in 1 min)"
)
# A ramp, and each wave of a sine, is cut into so many steps.
STEPS = 10
# How many straight pieces stand for one wave; its load is off by less than 0.2 % of the swing.
WAVE_PIECES = 50

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_TIME = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")
_MAX_SECONDS = 86_400.0


@dataclass(frozen=True)
class Piece:
    """A load that goes straight from ``begin`` to ``end`` in ``seconds``."""

    seconds: float
    begin: float
    end: float

    @property
    def area(self) -> float:
        """The load times its duration: the number of calls, if the load is a rate."""
        return self.seconds * (self.begin + self.end) / 2

    def at(self, seconds: float) -> float:
        """Return the load after so many seconds of the piece."""
        return self.begin + (self.end - self.begin) * seconds / self.seconds

    def reaches(self, area: float) -> float:
        """Return after how many seconds of the piece its area has grown to ``area``."""
        slope = (self.end - self.begin) / self.seconds if self.end != self.begin else 0.0
        root = math.sqrt(max(0.0, self.begin**2 + 2 * slope * area))
        return 2 * area / (self.begin + root) if area else 0.0


@dataclass(frozen=True)
class Step:
    """A stretch of the load that gets figures of its own; ``value`` is the mean load in it."""

    from_seconds: float
    to_seconds: float
    value: float


@dataclass(frozen=True)
class Profile:
    """A load over time, from its start at second 0; ``steps`` cover it without gaps.

    ``whole`` is whether it was written in whole numbers, ``text`` how.
    """

    pieces: tuple[Piece, ...]
    steps: tuple[Step, ...]
    whole: bool = True
    text: str = ""

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return sum(each.seconds for each in self.pieces)

    @property
    def peak(self) -> float:
        """The highest load."""
        return max(max(each.begin, each.end) for each in self.pieces)

    def __str__(self) -> str:
        """Return how it was written."""
        return self.text

    def at(self, seconds: float) -> float:
        """Return the load at a time; the last one after the end."""
        begin = 0.0
        for piece in self.pieces:
            if seconds < begin + piece.seconds:
                return piece.at(max(0.0, seconds - begin))
            begin += piece.seconds
        return self.pieces[-1].end


def constant(load: float) -> Profile:
    """Return a load that never changes and never ends."""
    return Profile((Piece(math.inf, load, load),), (Step(0.0, math.inf, load),))


def parse(text: str) -> Profile | None:
    """Read a shape, ``None`` from nothing. Raises ``ValueError`` that shows how to write one."""
    if not text:
        return None
    kind, colon, rest = text.partition(":")
    values, at, times = rest.partition("@")
    make = _KINDS.get(kind.strip().lower())
    if make is None or not colon or not at:
        raise ValueError(f"{text!r} is no shape; write {EXAMPLES}")
    try:
        loads = [_load(each) for each in values.split(",")]
        made = make(loads, _times(times))
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; write {EXAMPLES}") from None
    return replace(made, whole=all(load == round(load) for load in loads), text=text)


def _load(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1e6:
        raise ValueError(f"{text.strip()!r} is no load from 0 to 1000000")
    return value


def _times(text: str) -> list[float]:
    times = []
    for each in text.split(","):
        match = _TIME.fullmatch(each.strip())
        seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
        if not 0 < seconds <= _MAX_SECONDS:
            raise ValueError(f"{each.strip()!r} is no time above 0 such as 10s, 1.5m or 1h")
        times.append(seconds)
    return times


def _need(name: str, given: Sequence[float], least: int, most: int) -> None:
    if not least <= len(given) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        raise ValueError(f"it takes {wanted} {name}, not {len(given)}")


def _steps(values: Sequence[float], times: Sequence[float]) -> Profile:
    _need("values", values, 1, 1000)
    _need("times", times, 1, 1)
    return _plateaus([(value, times[0]) for value in values])


def _spike(values: Sequence[float], times: Sequence[float]) -> Profile:
    _need("values", values, 2, 2)
    _need("times", times, 2, 2)
    (base, peak), (before, during) = values, times
    return _plateaus([(base, before), (peak, during), (base, before)])


def _ramp(values: Sequence[float], times: Sequence[float]) -> Profile:
    _need("values", values, 2, 2)
    _need("times", times, 1, 1)
    return _stepped((Piece(times[0], values[0], values[1]),), STEPS)


def _sine(values: Sequence[float], times: Sequence[float]) -> Profile:
    """A wave from low to high and back in the first time, again and again for the second one."""
    _need("values", values, 2, 2)
    _need("times", times, 1, 2)
    (low, high), period = values, times[0]
    waves = times[1] / period if len(times) > 1 else 1.0
    if waves != round(waves):
        raise ValueError("the second time has to be a whole number of waves")

    def load(step: int) -> float:
        return low + (high - low) * (1 - math.cos(2 * math.pi * step / WAVE_PIECES)) / 2

    length = period / WAVE_PIECES
    wave = tuple(Piece(length, load(step), load(step + 1)) for step in range(WAVE_PIECES))
    return _stepped(wave * round(waves), STEPS * round(waves))


def _plateaus(loads: Sequence[tuple[float, float]]) -> Profile:
    steps, begin = [], 0.0
    for value, seconds in loads:
        steps.append(Step(begin, begin + seconds, value))
        begin += seconds
    return _checked(
        Profile(tuple(Piece(seconds, value, value) for value, seconds in loads), tuple(steps))
    )


def _stepped(pieces: tuple[Piece, ...], steps: int) -> Profile:
    """Cut the pieces into equal steps; ``value`` is the load in the middle of a step."""
    whole = Profile(pieces, ())
    length = whole.seconds / steps
    return _checked(
        Profile(
            pieces,
            tuple(
                Step(number * length, (number + 1) * length, whole.at((number + 0.5) * length))
                for number in range(steps)
            ),
        )
    )


def _checked(profile: Profile) -> Profile:
    if profile.peak <= 0:
        raise ValueError("no load in it is above 0")
    return profile


_KINDS: Mapping[str, Callable[[Sequence[float], Sequence[float]], Profile]] = {
    "steps": _steps,
    "ramp": _ramp,
    "spike": _spike,
    "sine": _sine,
}

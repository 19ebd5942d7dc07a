"""What the stub server does: how long it takes to answer, and when it stalls.

Pure values; times are in milliseconds where the name says so, else in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("SubmitJob", "GetJobStatus")


@dataclass(frozen=True)
class Mixture:
    """A service time that takes one of a few values: pairs of milliseconds and their share.

    Raises ``ValueError`` unless the values ascend and the shares are positive and add up to 1.
    """

    parts: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        values = [value for value, _ in self.parts]
        shares = [share for _, share in self.parts]
        if not values or values != sorted(set(values)) or values[0] < 0:
            raise ValueError(f"service times must ascend from 0, are {values}")
        if min(shares) <= 0 or not math.isclose(sum(shares), 1):
            raise ValueError(f"shares must be positive and add up to 1, are {shares}")

    def draw(self, number: float) -> float:
        """Return the milliseconds that belong to a random number from 0 to 1."""
        for value, share in self.parts:
            if number < share:
                return value
            number -= share
        return self.parts[-1][0]

    @property
    def mean_ms(self) -> float:
        """Return the mean."""
        return sum(value * share for value, share in self.parts)

    def words(self) -> str:
        """Say it for a reader, for example ``2 ms (80 %) or 20 ms (20 %)``."""
        if len(self.parts) == 1:
            return f"{self.parts[0][0]:g} ms"
        return " or ".join(f"{value:g} ms ({share:.0%})" for value, share in self.parts)


@dataclass(frozen=True)
class Stall:
    """Every ``period`` seconds all answers are held for ``length`` seconds.

    A stall begins ``offset`` seconds after each multiple of the period on the Unix clock, so that
    one ends well inside of a second of that clock.
    """

    period: float
    length: float
    offset: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.length < self.period:
            raise ValueError(f"a stall of {self.length:g} s cannot come every {self.period:g} s")

    def held_ns(self, unix_ns: int) -> int:
        """Return how long an answer that is due now is held, in nanoseconds; 0 outside a stall."""
        phase = (unix_ns - round(self.offset * 1e9)) % round(self.period * 1e9)
        return max(0, round(self.length * 1e9) - phase)


@dataclass(frozen=True)
class Behaviour:
    """The service time of each method, and the stall that all share if there is one."""

    service: Mapping[str, Mixture]
    stall: Stall | None = None
    seed: int = 1

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "service_ms": {name: [list(each) for each in m.parts] for name, m in self._ordered()},
            "stall": None
            if self.stall is None
            else {
                "period": self.stall.period,
                "length": self.stall.length,
                "offset": self.stall.offset,
            },
            "seed": self.seed,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Behaviour:
        """Read what :meth:`as_data` returns. Raises ``ValueError`` or ``KeyError``."""
        service = {
            name: Mixture(tuple((float(value), float(share)) for value, share in parts))
            for name, parts in data["service_ms"].items()
        }
        stall = None if data["stall"] is None else Stall(**data["stall"])
        return cls(service, stall, int(data["seed"]))

    def _ordered(self) -> list[tuple[str, Mixture]]:
        return sorted(self.service.items())

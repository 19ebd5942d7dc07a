"""What is compared around a fault: its phases, the rate of jobs in each, what databases did.

Times named ``*_us`` are microseconds on the monotonic clock of a history, durations ``*_s`` are
seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A stretch of a drive around a fault: ``before``, ``during`` or ``after`` it."""

    name: str
    begun_us: int
    ended_us: int


@dataclass(frozen=True)
class Rates:
    """Jobs that ended per second around a fault; ``None`` of what was too short to say.

    ``back_s`` is how long after its healing a stack ended as many as before again, ``None`` if it
    did not until the next fault.
    """

    before: float | None
    during: float | None
    after: float | None
    back_s: float | None

    @property
    def during_ratio(self) -> float | None:
        """The rate while it lasted, by that before."""
        return self.during / self.before if self.before and self.during is not None else None

    @property
    def after_ratio(self) -> float | None:
        """The rate after it, by that before: how far the stack has recovered."""
        return self.after / self.before if self.before and self.after is not None else None


@dataclass(frozen=True)
class ServerPhase:
    """What a database did in a phase of ``seconds``, asked once a second.

    It gave ``samples`` answers, and ``missed`` questions stayed without. ``waits`` has the share of
    the backends seen that waited for what, most first; ``levels`` of each gauge the first, the last
    and the highest value, ``counters`` by how much each rose.
    """

    name: str
    seconds: float
    samples: int
    missed: int
    waits: Mapping[str, float]
    levels: Mapping[str, tuple[float, float, float]]
    counters: Mapping[str, float]


@dataclass(frozen=True)
class ServerStory:
    """What a database did around a fault, which is named by its place among the faults, from 0."""

    server: str
    fault: int
    phases: tuple[ServerPhase, ...]

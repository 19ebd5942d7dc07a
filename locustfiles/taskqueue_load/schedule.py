"""When the calls of an open loop are due: fixed before the test, whatever the server answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from taskqueue_load.profile import Profile

POISSON = "poisson"
EVEN = "even"
ARRIVALS = (POISSON, EVEN)


@dataclass(frozen=True)
class Share:
    """The part of one process, ``index`` of ``total``, in what all processes send together."""

    index: int = 0
    total: int = 1

    def of(self, whole: int) -> int:
        """Return this share of a number of things; the shares add up to ``whole``."""
        return whole // self.total + (self.index < whole % self.total)


def due_times(profile: Profile, arrivals: str, seed: int, share: Share) -> Iterator[float]:
    """Give the times at which this process's calls are due, in seconds since the start, rising.

    All processes together send by ``profile``, to the moment. Even calls are dealt to the
    processes in turn. Poisson calls are drawn in each process on its own, at its share of the
    rate, which together makes a Poisson stream of the whole rate.
    """
    marks = _poisson(seed, share) if arrivals == POISSON else _even(share)
    mark, area, begin = next(marks), 0.0, 0.0
    for piece in profile.pieces:
        while mark < area + piece.area:
            yield begin + piece.reaches(mark - area)
            mark = next(marks)
        area += piece.area
        begin += piece.seconds


def _even(share: Share) -> Iterator[float]:
    """Give the numbers of this process's calls among all; the first is due half an interval in."""
    number = share.index
    while True:
        yield number + 0.5
        number += share.total


def _poisson(seed: int, share: Share) -> Iterator[float]:
    draw = random.Random(f"{seed}/arrivals/{share.index}")
    mark = 0.0
    while True:
        mark += draw.expovariate(1.0) * share.total
        yield mark

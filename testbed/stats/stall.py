"""Response times under a stall that is known, in closed form.

A server answers each request after a fixed service time, except that once in a period it stops for
a while. If requests arrive evenly and none waits for another's answer, the distribution of their
response times follows from geometry alone. An instrument that measures such a server must find it;
one that waits for answers before it sends (coordinated omission; Tene, "How NOT to Measure
Latency", 2013) finds a much better one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class PeriodicStall:
    """A server with a stall of ``length`` seconds at the start of each ``period`` seconds.

    ``service`` is the service time in seconds. ``utilisation`` is 0 if the server works on all
    requests at once; for one that takes them one by one it is rate * service, and the backlog of
    the stall is worked off in turn. ``freezes`` says whether the stall also holds back answers to
    requests that were in service when it began (a blocked event loop does, a closed door does not);
    it is meant for a utilisation of 0.

    Raises ``ValueError`` if a value is out of range, or if a backlog would outlast the period.
    """

    service: float
    length: float
    period: float
    utilisation: float = 0.0
    freezes: bool = False

    def __post_init__(self) -> None:
        if not (self.service >= 0 and self.length >= 0 and self.period > 0):
            raise ValueError("service and length must be at least 0, the period above 0 seconds")
        if not 0 <= self.utilisation < 1:
            raise ValueError(f"utilisation is {self.utilisation}; it must be from 0 to below 1")
        if self.freezes and self.utilisation:
            raise ValueError("a stall that freezes answers is known only for a utilisation of 0")
        if self._affected + (self.service if self.freezes else 0.0) > self.period:
            raise ValueError("the stall and its backlog outlast the period: no phase is calm")

    def response(self, phase: float) -> float:
        """Return the response time in seconds of a request sent ``phase`` seconds into a period."""
        place = phase % self.period
        for piece in self._pieces():
            if piece.start <= place < piece.end:
                return piece.at(place)
        return self.service

    def cdf(self, seconds: float) -> float:
        """Return the share of evenly spread requests answered within ``seconds``."""
        return sum(piece.length_up_to(seconds) for piece in self._pieces()) / self.period

    def percentile(self, percent: float) -> float:
        """Return the percentile (0 to 100) of the response times, in seconds."""
        _check_percent(percent)
        share = percent / 100
        knots = sorted({end for piece in self._pieces() for end in (piece.first, piece.last)})
        # The distribution jumps at the lowest knot, the service time, and is linear between knots.
        for lower, upper in pairwise(knots):
            low, high = self.cdf(lower), self.cdf(upper)
            if share <= low:
                return lower
            if share <= high:
                return lower + (upper - lower) * (share - low) / (high - low)
        return knots[-1]

    def closed_loop_percentile(self, percent: float) -> float:
        """Return what one user who waits for each answer would report instead, in seconds.

        The user sends as soon as it is answered: in each period one call meets the stall, however
        long that is. Raises ``ValueError`` unless the utilisation is 0 and the stall is at least
        as long as the service, which is above 0.
        """
        _check_percent(percent)
        if self.utilisation or not 0 < self.service <= self.length:
            raise ValueError("known only without utilisation and for 0 < service <= length")
        calm = self.period - self.length - (0.0 if self.freezes else self.service)
        quick = max(0, math.ceil(calm / self.service - 1e-9) - (1 if self.freezes else 0))
        slow = self.period - quick * self.service
        return self.service if percent / 100 * (quick + 1) <= quick else slow

    @property
    def _affected(self) -> float:
        return self.length / (1 - self.utilisation)

    def _pieces(self) -> tuple[_Piece, ...]:
        """Return the response time over the phases of a period as straight pieces."""
        hit = _Piece(0.0, self._affected, self.length + self.service, self.service)
        if not self.freezes:
            return hit, _Piece(hit.end, self.period, self.service, self.service)
        held = min(self.service, self.length)
        begin = self.period - self.service
        return (
            _Piece(0.0, self.length, self.length + self.service, self.service),
            _Piece(self.length, begin, self.service, self.service),
            _Piece(begin, begin + held, self.length + self.service, self._after_held(held)),
            _Piece(begin + held, self.period, self.service, self.service),
        )

    def _after_held(self, held: float) -> float:
        return self.length + self.service - held


@dataclass(frozen=True)
class _Piece:
    """Response times that go straight from ``first`` at ``start`` down to ``last`` at ``end``."""

    start: float
    end: float
    first: float
    last: float

    def at(self, phase: float) -> float:
        share = (phase - self.start) / (self.end - self.start)
        return self.first + share * (self.last - self.first)

    def length_up_to(self, seconds: float) -> float:
        """Return how much of the piece has a response time of at most ``seconds``."""
        if seconds >= self.first:
            return self.end - self.start
        if seconds < self.last:
            return 0.0
        return (self.end - self.start) * (seconds - self.last) / (self.first - self.last)


def _check_percent(percent: float) -> None:
    if not 0 <= percent <= 100:
        raise ValueError(f"percentile {percent}: it must lie between 0 and 100")

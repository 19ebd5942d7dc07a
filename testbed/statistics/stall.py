"""Response times under a stall that is known, in closed form.

A server answers each request after a fixed service time, except that once in a period it stops for
a while. If requests arrive evenly and none waits for another's answer, the distribution of their
response times follows from geometry alone. An instrument that measures such a server must find it;
one that waits for answers before it sends (coordinated omission; Tene, "How NOT to Measure
Latency", 2013) finds a much better one.
"""

from __future__ import annotations

from dataclasses import dataclass


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

    def response(self, phase: float) -> float:
        """Return the response time in seconds of a request sent ``phase`` seconds into a period."""
        raise NotImplementedError

    def cdf(self, seconds: float) -> float:
        """Return the share of evenly spread requests with a response time of at most ``seconds``."""
        raise NotImplementedError

    def percentile(self, percent: float) -> float:
        """Return the percentile (0 to 100) of the response times, in seconds."""
        raise NotImplementedError

    def closed_loop_percentile(self, percent: float) -> float:
        """Return what one user who waits for each answer would report instead, in seconds."""
        raise NotImplementedError

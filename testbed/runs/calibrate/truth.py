"""What the percentiles of a known behaviour are, in closed form.

Arrivals that do not wait for answers meet each moment of the stall's period equally often. An
answer that is due ``x`` seconds into a stall of length D is held D - x seconds, so with a period P
the time W that a call is held has

    P(W > w) = (D - w) / P    for 0 <= w < D,    and P(W > w) = 0 from D on,

and is independent of the call's own service time S. The response time from the intended send is
S + W. With S a mixture, its distribution is the weighted sum of shifted ones.

In a closed loop each of the users is held once in a period, in the call that it then has in
flight; the calls it would have made meanwhile are never made. With a cycle (service and think
time) of c < D a user makes 1 + (P - D) / c calls in a period, and of these one is held, for
between D - c and D.
"""

from __future__ import annotations

from collections.abc import Callable

from testbed.runs.calibrate.behaviour import Mixture, Stall

_STEPS = 60


def open_loop_cdf(service: Mixture, stall: Stall | None, response_ms: float) -> float:
    """Return the share of calls whose response time is at most ``response_ms``."""
    return sum(share * _held_at_most(stall, response_ms - value) for value, share in service.parts)


def open_loop_percentile(service: Mixture, stall: Stall | None, percent: float) -> float:
    """Return the response time in milliseconds that ``percent`` of the calls do not exceed."""
    return _invert(lambda ms: open_loop_cdf(service, stall, ms), percent, _most(service, stall))


def closed_loop_cdf(service: Mixture, stall: Stall, cycle: float, response_ms: float) -> float:
    """Return the same for a closed loop whose users take ``cycle`` seconds from call to call.

    Raises ``ValueError`` if the cycle is not shorter than the stall.
    """
    if cycle >= stall.length:
        raise ValueError(f"a cycle of {cycle:g} s is not shorter than the stall")
    held = 1 / (1 + (stall.period - stall.length) / cycle)
    total = 0.0
    for value, share in service.parts:
        above = (response_ms - value) / 1000 - (stall.length - cycle)
        delayed = min(max(above / cycle, 0.0), 1.0)
        total += share * ((1 - held) * (response_ms >= value) + held * delayed)
    return total


def closed_loop_percentile(service: Mixture, stall: Stall, cycle: float, percent: float) -> float:
    """Return what a closed loop reports as this percentile, in milliseconds."""
    return _invert(
        lambda ms: closed_loop_cdf(service, stall, cycle, ms), percent, _most(service, stall)
    )


def _held_at_most(stall: Stall | None, ms: float) -> float:
    if ms < 0:
        return 0.0
    if stall is None:
        return 1.0
    return 1 - max(0.0, stall.length - ms / 1000) / stall.period


def _most(service: Mixture, stall: Stall | None) -> float:
    return service.parts[-1][0] + (0.0 if stall is None else stall.length * 1000)


def _invert(cdf: Callable[[float], float], percent: float, most: float) -> float:
    """Return the least value whose cdf reaches ``percent``, by bisection; cdf(most) is 1."""
    low, high = 0.0, most
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if cdf(middle) >= percent / 100 - 1e-12:
            high = middle
        else:
            low = middle
    return high

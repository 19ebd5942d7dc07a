"""A service level objective: what a design has to hold at a rate for the rate to count."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from testbed.errors import TestbedError
from testbed.stats import samples_needed

COMPLETION_PERCENT = 99.0
EXAMPLE = "p99=100ms,errors=0.1%,completion=500ms"
_LATENCY = re.compile(r"(?:(?P<call>[A-Za-z][A-Za-z ()]*)\.)?p(?P<percent>\d+(?:\.\d+)?)")
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s)")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class SloError(TestbedError):
    """The text is no objective; the message names the part that is wrong."""


@dataclass(frozen=True)
class Latency:
    """A percentile of response times that must not exceed ``ms``; of all calls without ``call``."""

    percent: float
    ms: float
    call: str | None = None

    @property
    def name(self) -> str:
        """Name as it is written in an objective."""
        return (f"{self.call}." if self.call else "") + f"p{self.percent:g}"


@dataclass(frozen=True)
class Slo:
    """What must hold: percentiles of response times, the error ratio, p99 of completion times.

    That the backlog of jobs does not grow is always part of it, for no rate holds for long if it
    does. ``errors`` is a share of the calls that were due.
    """

    latencies: tuple[Latency, ...] = ()
    errors: float | None = None
    completion_ms: float | None = None

    def words(self) -> str:
        """Say it for a reader."""
        parts = [
            f"{each.name} of {'' if each.call else 'all '}response times ≤ {each.ms:g} ms"
            for each in self.latencies
        ]
        if self.errors is not None:
            parts.append(f"errors ≤ {100 * self.errors:g} % of the calls")
        if self.completion_ms is not None:
            parts.append(f"p99 of completion times ≤ {self.completion_ms:g} ms")
        return ", ".join([*parts, "no growing backlog"])

    def seconds_needed(self, rate: float, submits: float = 1.0) -> float:
        """Return how long a drive at ``rate`` has to be for the overall percentiles to be known.

        ``submits`` is the part of the calls that submit a job.
        """
        calls = [samples_needed(each.percent) for each in self.latencies if each.call is None]
        jobs = samples_needed(COMPLETION_PERCENT) if self.completion_ms is not None else 0
        return max(max(calls, default=0), jobs / submits if submits else 0) / rate

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "latencies": [
                {"call": each.call, "percent": each.percent, "ms": each.ms}
                for each in self.latencies
            ],
            "errors": self.errors,
            "completion_ms": self.completion_ms,
        }


def parse(text: str) -> Slo:
    """Read ``p99=100ms,SubmitJob.p95=50ms,errors=0.1%,completion=500ms``.

    Raises :class:`SloError` that names the part that is wrong.
    """
    latencies: list[Latency] = []
    errors = completion = None
    seen: set[str] = set()
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, value = (each.strip() for each in part.partition("="))
        if name in seen:
            raise SloError(f"--slo: {name} is given twice")
        seen.add(name)
        if name == "errors":
            errors = _share(part, value)
        elif name == "completion":
            completion = _time(part, value)
        elif match := _LATENCY.fullmatch(name):
            latencies.append(_latency(part, match, value))
        else:
            raise SloError(
                f"--slo: {part!r} is nothing that can be held",
                f"p50 to p99.9, METHOD.p99, errors and completion can, for example {EXAMPLE}",
            )
    if not seen:
        raise SloError("--slo is empty", f"for example {EXAMPLE}")
    return Slo(tuple(latencies), errors, completion)


def _latency(part: str, match: re.Match[str], value: str) -> Latency:
    percent = float(match["percent"])
    if not 0 < percent < 100:
        raise SloError(f"--slo: {part!r}: a percentile lies between 0 and 100")
    return Latency(percent, _time(part, value), match["call"])


def _time(part: str, value: str) -> float:
    match = _TIME.fullmatch(value)
    if match is None or not 0 < float(match[1]) < math.inf:
        raise SloError(f"--slo: {part!r} needs a time above 0 such as 100ms or 1.5s")
    return float(match[1]) * _MILLISECONDS[match[2]]


def _share(part: str, value: str) -> float:
    match = _SHARE.fullmatch(value)
    if match is None or not 0 <= float(match[1]) < 100:
        raise SloError(f"--slo: {part!r} needs a share such as 0.1%")
    return float(match[1]) / 100

"""What one measurement of a bench says: pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from testbed.drive.figures import hops
from testbed.drive.figures.hops import Internal
from testbed.runs.bench.measure import Measurement


class Figure(NamedTuple):
    """A figure of one measurement, given that of the echo server with as many callers.

    One that is ``relative`` is a ratio to the echo server, which has none itself.
    """

    name: str
    label: str
    unit: str
    of: Callable[[Measurement, Measurement], float | None]
    relative: bool = False


def submits_per_second(each: Measurement) -> float:
    """Submit calls answered per second of the measured window."""
    return each.run.calls / each.run.window_seconds


def jobs_per_second(each: Measurement) -> float | None:
    """Jobs per second from the creation of the first to the end of the last."""
    return each.run.finished / each.run.job_seconds if each.run.job_seconds else None


def cpu_us_per_job(each: Measurement) -> float:
    """CPU microseconds of the server for each call, with all that follows from it."""
    return each.server_cpu_seconds * 1e6 / each.run.accepted


def internal(each: Measurement) -> Internal | None:
    """Calls between the subject's processes, and their bytes, for each accepted job."""
    if each.hops is None:
        return None
    return hops.internal(hop.per(each.run.accepted) for hop in each.hops)


def bytes_per_job(each: Measurement) -> float:
    """Growth of resident memory per finished job."""
    return (each.rss_after - each.rss_before) / each.run.finished


def _internal_calls(each: Measurement, _echo: Measurement) -> float | None:
    inner = internal(each)
    return inner.calls if inner else None


def _internal_bytes(each: Measurement, _echo: Measurement) -> float | None:
    inner = internal(each)
    return inner.bytes if inner else None


def _submit_ratio(each: Measurement, echo: Measurement) -> float:
    return submits_per_second(each) / submits_per_second(echo)


def _job_ratio(each: Measurement, echo: Measurement) -> float | None:
    jobs = jobs_per_second(each)
    return None if jobs is None else jobs / submits_per_second(echo)


def _p50_ratio(each: Measurement, echo: Measurement) -> float:
    return each.run.p50_ms / echo.run.p50_ms


def _cpu_ratio(each: Measurement, echo: Measurement) -> float:
    return cpu_us_per_job(each) / cpu_us_per_job(echo)


_RATIO = "  as a ratio to echo"
FIGURES = (
    Figure("submits_per_second", "submit calls", "1/s", lambda it, _: submits_per_second(it)),
    Figure("submit_ratio", _RATIO, "", _submit_ratio, relative=True),
    Figure("submit_p50_ms", "submit p50", "ms", lambda it, _: it.run.p50_ms),
    Figure("submit_p50_ratio", _RATIO, "", _p50_ratio, relative=True),
    Figure("jobs_per_second", "no-op jobs finished", "1/s", lambda it, _: jobs_per_second(it)),
    Figure("job_ratio", _RATIO, "", _job_ratio, relative=True),
    Figure("cpu_us_per_job", "server CPU per job", "µs", lambda it, _: cpu_us_per_job(it)),
    Figure("cpu_ratio", "  in echo calls", "", _cpu_ratio, relative=True),
    Figure("internal_calls_per_job", "internal calls per job", "", _internal_calls),
    Figure("internal_bytes_per_job", "internal bytes per job", "", _internal_bytes),
)
# What a change is judged by; a ratio to the echo server is in them already.
ABSOLUTE = tuple(each for each in FIGURES if not each.relative)

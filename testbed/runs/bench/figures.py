"""The bench's figures out of its measurements: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from testbed.runs.bench.measure import ECHO, Measurement


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Sum up at least one value."""
        listed = list(values)
        return cls(median(listed), min(listed), max(listed))


@dataclass(frozen=True)
class SubjectFigures:
    """The figures of one subject. Ratios are to the echo server in the same round.

    The echo server has no jobs, memory or ratios, which are ``None`` then.
    """

    name: str
    submits_per_second: Spread
    cpu_us_per_call: Spread
    submit_ratio: Spread | None = None
    jobs_per_second: Spread | None = None
    job_ratio: Spread | None = None
    bytes_per_job: float | None = None
    idle_cores: float | None = None
    errors: int = 0


def submits_per_second(each: Measurement) -> float:
    """Submit calls answered per second of the measured window."""
    return each.run.calls / each.run.window_seconds


def jobs_per_second(each: Measurement) -> float:
    """Jobs per second from the creation of the first to the end of the last."""
    return each.run.finished / each.run.job_seconds


def cpu_us_per_call(each: Measurement) -> float:
    """CPU microseconds of the server for each call, with all that follows from it."""
    return each.server_cpu_seconds * 1e6 / each.run.accepted


def bytes_per_job(each: Measurement) -> float:
    """Growth of resident memory per finished job."""
    return (each.rss_after - each.rss_before) / each.run.finished


def summarize(
    rounds: Sequence[Measurement],
    memory: Mapping[str, Measurement],
    idle_cores: Mapping[str, float],
) -> list[SubjectFigures]:
    """Sum up the rounds of each subject, in the order of their first appearance.

    ``memory`` and ``idle_cores`` are by the name of a subject. Every round has one measurement of
    every subject, the echo server included.
    """
    echo = {each.round: submits_per_second(each) for each in rounds if each.subject == ECHO}
    result = []
    for name in dict.fromkeys(each.subject for each in rounds):
        mine = [each for each in rounds if each.subject == name]
        common = SubjectFigures(
            name,
            Spread.of(map(submits_per_second, mine)),
            Spread.of(map(cpu_us_per_call, mine)),
            errors=sum(sum(each.run.errors.values()) for each in mine),
        )
        result.append(common if name == ECHO else _compared(common, mine, echo, memory, idle_cores))
    return result


def _compared(
    base: SubjectFigures,
    mine: Sequence[Measurement],
    echo: Mapping[int, float],
    memory: Mapping[str, Measurement],
    idle_cores: Mapping[str, float],
) -> SubjectFigures:
    return SubjectFigures(
        name=base.name,
        submits_per_second=base.submits_per_second,
        cpu_us_per_call=base.cpu_us_per_call,
        submit_ratio=Spread.of(submits_per_second(each) / echo[each.round] for each in mine),
        jobs_per_second=Spread.of(map(jobs_per_second, mine)),
        job_ratio=Spread.of(jobs_per_second(each) / echo[each.round] for each in mine),
        bytes_per_job=bytes_per_job(memory[base.name]) if base.name in memory else None,
        idle_cores=idle_cores.get(base.name),
        errors=base.errors,
    )

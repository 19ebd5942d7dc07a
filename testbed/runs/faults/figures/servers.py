"""What the databases of a stack did before, during and after each fault."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from testbed.drive.servers import postgres, redis
from testbed.record.calls import Window
from testbed.record.series import MetricSeries, ProcessSeries
from testbed.runs.faults.figures.around import Phase, ServerPhase, ServerStory
from testbed.runs.faults.figures.model import SECOND, MeasuredFault
from testbed.runs.faults.figures.rates import phases

# Levels: the first and the last in a phase, and the highest.
LEVELS = (
    *(postgres.DEAD, postgres.BYTES, postgres.NOTIFICATIONS, postgres.SNAPSHOT),
    *(postgres.CONNECTIONS, postgres.PRIMARY, postgres.LAG),
    *(redis.MEMORY, redis.BLOCKED, redis.CLIENTS, redis.AOF, redis.FORK, redis.WRITES),
    *(redis.PRIMARY, redis.REPLICAS),
)
# Counters: by how much they rose.
COUNTERS = (
    *(postgres.WAL, postgres.COMMITS, postgres.VACUUMS),
    *(redis.COMMANDS, redis.DELAYED, redis.EVICTED, redis.REJECTED, redis.REFUSED),
)


def stories(
    faults: Sequence[MeasuredFault], servers: MetricSeries, offset: int, begun_us: int
) -> tuple[ServerStory, ...]:
    """Return what each server did around each fault; nothing of one that never answered.

    ``offset`` leads from the clock of the samples to that of the history, in microseconds.
    """
    around = phases(faults, begun_us)
    return tuple(
        ServerStory(name, number, tuple(_phase(series, each, offset) for each in found))
        for name, series in servers.by_process.items()
        if series.times
        for number, found in enumerate(around)
    )


def _phase(series: ProcessSeries, phase: Phase, offset: int) -> ServerPhase:
    window = Window((phase.begun_us - offset) / SECOND, (phase.ended_us - offset) / SECOND)
    levels = {name: found for name in LEVELS if (found := _level(series, name, window))}
    counters = {name: _rose(series, name, window) for name in COUNTERS if name in series.series}
    answered = sum(window.from_unix <= unix <= window.to_unix for unix in series.times)
    missed = sum(window.from_unix <= unix <= window.to_unix for unix, _ in series.failures)
    seconds = (phase.ended_us - phase.begun_us) / SECOND
    waits = _waits(series, window)
    return ServerPhase(phase.name, seconds, answered, missed, waits, levels, counters)


def _level(series: ProcessSeries, name: str, window: Window) -> tuple[float, float, float] | None:
    found = series.series.get(name)
    values = [value for _, value in series.values(found, window)] if found else []
    return (values[0], values[-1], max(values)) if values else None


def _rose(series: ProcessSeries, name: str, window: Window) -> float:
    """Return by how much a counter rose from one answer to the next.

    One that fell begins anew, and what it has by then is left out: a Redis that starts again counts
    what it reads from its file.
    """
    first = max(0, bisect_left(series.times, window.from_unix) - 1)
    after = bisect_right(series.times, window.to_unix)
    values = [
        sum(each.value(index) for each in series.series[name]) for index in range(first, after)
    ]
    return sum(max(0.0, later - earlier) for earlier, later in pairwise(values))


def _waits(series: ProcessSeries, window: Window) -> Mapping[str, float]:
    """Return what backends that ran a statement waited for: the share of all that were seen."""
    seen: Counter[str] = Counter()
    for each in series.series.get(postgres.BACKENDS, ()):
        total = sum(value for _, value in series.values([each], window))
        if total:
            seen[each.labels["wait"]] += round(total)
    return {name: count / seen.total() for name, count in seen.most_common()}

"""The figures side by side, as text: one table for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from testbed.analysis.faults.groups import KEEPING, LOSING, Group, by_state, everything
from testbed.analysis.faults.model import FaultFigures
from testbed.report.faults import written


@dataclass(frozen=True)
class Row:
    """A figure of every trial; ``group`` says what it belongs to."""

    group: str
    label: str
    unit: str
    values: tuple[str, ...]


# Label and field of the counts of jobs.
JOBS = (
    ("accepted", "accepted"),
    ("lost", "lost"),
    ("lost with the memory of a killed process", "lost_with_state"),
    ("recovered: made by a submit that failed", "recovered"),
    ("unexpected: made by no submit", "unexpected"),
    ("made twice, or for two submits", "duplicated"),
    ("run again under a higher attempt", "run_again"),
)


def rows(figures: Sequence[FaultFigures]) -> list[Row]:
    """Return all rows, in groups."""
    found = list(_jobs(figures))
    for name in (KEEPING, LOSING):
        groups = [_of(each, name) for each in figures]
        if any(group.faults for group in groups):
            found += _behaviour(name, groups, _methods(figures))
    outside = [figure.service for figure in figures]
    for method in _methods(figures):
        values = tuple(
            written.share(each[method].outside) if method in each else "–" for each in outside
        )
        found.append(Row("calls that met no fault", f"{method}: answered", "%", values))
    return found


def _methods(figures: Sequence[FaultFigures]) -> list[str]:
    return list(dict.fromkeys(method for each in figures for method in each.methods))


def _jobs(figures: Sequence[FaultFigures]) -> Iterator[Row]:
    for label, name in JOBS:
        values = tuple(written.count(getattr(each.jobs, name)) for each in figures)
        yield Row("jobs", label, "jobs", values)
    excess = tuple(_between(each.jobs.excess_seen, each.jobs.excess_at_most) for each in figures)
    yield Row("jobs", "executions beyond the first of a job", "", excess)


def _between(least: int, most: int) -> str:
    return f"{least:,}" if least >= most else f"{least:,} to {most:,}"


def _of(figures: FaultFigures, name: str) -> Group:
    found = {group.name: group for group in by_state(figures.faults)}
    return found.get(name, Group(name, ()))


def _behaviour(name: str, groups: Sequence[Group], methods: Sequence[str]) -> Iterator[Row]:
    def row(label: str, unit: str, of: Callable[[Group], str]) -> Row:
        return Row(name, label, unit, tuple(of(each) if each.faults else "–" for each in groups))

    yield row("faults", "", lambda group: f"{len(group.faults):,}")
    for method in methods:
        label = f"{method}: no service, in all / longest"
        yield row(label, "s", lambda group, m=method: written.downtime(group.downtime(m)))  # type: ignore[misc]
    for method in methods:
        label = f"{method}: answered while it lasted"
        yield row(label, "%", lambda group, m=method: written.share(group.availability(m)))  # type: ignore[misc]
    yield row("jobs of a hit worker run again after", "s", written.running_again)
    yield row("backlog when healed", "jobs", lambda group: written.spread(group.at_end(), True))
    yield row("backlog as before, after", "s", written.drained)


def total(figures: FaultFigures) -> Group:
    """Return all faults of a trial as one group."""
    return everything(figures.faults)

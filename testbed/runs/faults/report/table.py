"""The figures side by side, as text: one table for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from testbed.report.numbers import NOTHING
from testbed.runs.faults.figures.groups import KEEPING, LOSING, Group, by_state
from testbed.runs.faults.figures.model import FaultFigures
from testbed.runs.faults.report import written


@dataclass(frozen=True)
class FigureRow:
    """A figure of every trial, of one ``method`` or of none; ``group`` says what it belongs to."""

    group: str
    label: str
    unit: str
    values: tuple[str, ...]
    method: str = ""

    @property
    def title(self) -> str:
        """The figure with its method, to stand alone."""
        return f"{self.method}: {self.label}" if self.method else self.label


OUTSIDE = "calls that met no fault"
NO_SERVICE, ANSWERED = "no service, sum / longest", "answered"

# Label and field of the counts of jobs.
JOBS = (
    ("accepted", "accepted"),
    ("lost", "lost"),
    ("lost with the memory of a killed process", "lost_with_state"),
    ("expired: forgotten as the retention allows", "expired"),
    ("recovered: made by a submit that failed", "recovered"),
    ("unexpected: made by no submit", "unexpected"),
    ("made twice, or for two submits", "duplicated"),
    ("run again under a higher attempt", "run_again"),
)


def rows(figures: Sequence[FaultFigures]) -> list[FigureRow]:
    """Return all rows, in groups."""
    methods = _methods(figures)
    found = list(_jobs(figures))
    for name in (KEEPING, LOSING):
        groups = [_of(each, name) for each in figures]
        if any(group.faults for group in groups):
            found += _behaviour(name, groups)
            found += [row for method in methods for row in _service(name, groups, method)]
    for method in methods:
        services = [each.service.get(method) for each in figures]
        values = tuple(written.share(each.outside) if each else NOTHING for each in services)
        found.append(FigureRow(OUTSIDE, ANSWERED, "%", values, method))
    return found


def _methods(figures: Sequence[FaultFigures]) -> list[str]:
    return list(dict.fromkeys(method for each in figures for method in each.methods))


def _jobs(figures: Sequence[FaultFigures]) -> Iterator[FigureRow]:
    for label, name in JOBS:
        counts = [getattr(each.jobs, name) for each in figures]
        if name == "expired" and not any(counts):
            continue  # nothing is ever forgotten, as in most runs
        values = tuple(written.count(each) for each in counts)
        yield FigureRow("jobs", label, "jobs", values)
    excess = tuple(_between(each.jobs.excess_seen, each.jobs.excess_at_most) for each in figures)
    yield FigureRow("jobs", "executions beyond the first of a job", "", excess)


def _between(least: int, most: int) -> str:
    return f"{least:,}" if least >= most else f"{least:,} to {most:,}"


def _of(figures: FaultFigures, name: str) -> Group:
    found = {group.name: group for group in by_state(figures.faults)}
    return found.get(name, Group(name, ()))


def _behaviour(name: str, groups: Sequence[Group]) -> Iterator[FigureRow]:
    def row(label: str, unit: str, of: Callable[[Group], str]) -> FigureRow:
        return FigureRow(name, label, unit, _values(groups, of))

    yield row("faults", "", lambda group: f"{len(group.faults):,}")
    yield row("jobs of a hit worker, run again after", "s", written.running_again)
    yield row("backlog when healed", "jobs", lambda group: written.spread(group.at_end(), True))
    yield row("backlog drained after", "s", written.drained)


def _service(name: str, groups: Sequence[Group], method: str) -> Iterator[FigureRow]:
    down = _values(groups, lambda group: written.downtime(group.downtime(method)))
    yield FigureRow(name, NO_SERVICE, "s", down, method)
    answered = _values(groups, lambda group: written.share(group.availability(method)))
    yield FigureRow(name, ANSWERED, "%", answered, method)


def _values(groups: Sequence[Group], of: Callable[[Group], str]) -> tuple[str, ...]:
    return tuple(of(group) if group.faults else NOTHING for group in groups)

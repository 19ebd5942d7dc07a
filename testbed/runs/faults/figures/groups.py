"""Faults that belong together, and figures over several of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from testbed.runs.faults.figures.model import Availability, Downtime, MeasuredFault

EVERY = "all faults"
KEEPING, LOSING = "faults that lose no state", "faults that lose state"


@dataclass(frozen=True)
class Spread:
    """Median and range of a few values."""

    count: int
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """Return the spread of values; ``None`` if there are none."""
        found = sorted(values)
        return cls(len(found), median(found), found[0], found[-1]) if found else None


@dataclass(frozen=True)
class Group:
    """Faults of one sort, in the order in which they were made."""

    name: str
    faults: tuple[MeasuredFault, ...]

    def downtime(self, method: str) -> Downtime:
        """Return the time without service after all of them, added up, and the longest."""
        each = [fault.downtime.get(method, Downtime()) for fault in self.faults]
        return Downtime(
            sum(one.total_s for one in each),
            max((one.longest_s for one in each), default=0.0),
            sum(one.unsure_s for one in each),
        )

    def downtimes(self, method: str) -> Spread | None:
        """Return the spread of the time without service after one fault."""
        return Spread.of(fault.downtime.get(method, Downtime()).total_s for fault in self.faults)

    def availability(self, method: str) -> Availability:
        """Return how many of the calls that met one of them were answered."""
        each = (fault.availability.get(method, Availability()) for fault in self.faults)
        return sum(each, start=Availability())

    def rerun(self) -> Spread | None:
        """Return the spread of the time until a job was started again, over all jobs."""
        return Spread.of(
            seconds
            for fault in self.faults
            if fault.recovery
            for seconds in (*fault.recovery.rerun_s, *fault.recovery.inferred_s)
        )

    def held(self) -> tuple[int, int, int, int] | None:
        """Return how many jobs were hit, went on, never ran again, and met a fate unknown."""
        each = [fault.recovery for fault in self.faults if fault.recovery]
        if not each:
            return None
        return (
            sum(one.held for one in each),
            sum(one.went_on for one in each),
            sum(one.never for one in each),
            sum(one.unknown for one in each),
        )

    def at_end(self) -> Spread | None:
        """Return the spread of the backlog when a fault was healed."""
        return Spread.of(fault.backlog.at_end for fault in self.faults if fault.backlog)

    def drained(self) -> Spread | None:
        """Return the spread of the time in which the backlog drained, where it did."""
        return Spread.of(
            fault.backlog.drain_s
            for fault in self.faults
            if fault.backlog and fault.backlog.drain_s is not None
        )

    def undrained(self) -> int:
        """Return after how many faults it did not, until the next one began."""
        return sum(
            fault.backlog is not None and fault.backlog.drain_s is None for fault in self.faults
        )


def everything(faults: Sequence[MeasuredFault]) -> Group:
    """Return all faults as one group."""
    return Group(EVERY, tuple(faults))


def by_state(faults: Sequence[MeasuredFault]) -> list[Group]:
    """Return the faults by whether they cost a process its memory, as far as there are any."""
    found = _by(faults, lambda fault: LOSING if fault.loss else KEEPING)
    return [found[name] for name in (KEEPING, LOSING) if name in found]


def by_kind(faults: Sequence[MeasuredFault]) -> list[Group]:
    """Return the faults by kind and role of the target."""
    found = _by(faults, lambda fault: f"{fault.kind} {fault.role}".strip())
    return [found[name] for name in sorted(found)]


def by_role(faults: Sequence[MeasuredFault]) -> list[Group]:
    """Return the faults by role of the target alone."""
    found = _by(faults, lambda fault: fault.role)
    return [found[name] for name in sorted(found)]


def _by(
    faults: Sequence[MeasuredFault], name_of: Callable[[MeasuredFault], str]
) -> dict[str, Group]:
    found: dict[str, list[MeasuredFault]] = {}
    for fault in faults:
        found.setdefault(name_of(fault), []).append(fault)
    return {name: Group(name, tuple(each)) for name, each in found.items()}

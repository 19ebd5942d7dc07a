"""What the figures under faults are made from, and what they are.

Times named ``*_us`` are microseconds on the monotonic clock of a history, durations ``*_s`` are
seconds. What each figure means, and what it cannot say, is in ``docs/under-faults.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from common.topology import Topology
from testbed.check import Verdict
from testbed.record.history.model import History
from testbed.record.model import JobRow
from testbed.record.series import MetricSeries
from testbed.runs.faults.figures.around import Rates, ServerStory

AUDIT = "audit"
"""The client that looks up every job after the drive; its calls are in no figure of service."""

ALL = "any method"
"""Stands for all methods together, beside their names."""

SECOND = 1_000_000


@dataclass(frozen=True)
class Parts:
    """The processes that matter here: who runs jobs, and whom clients call.

    ``entries`` has the process behind each endpoint, as the history names endpoints.
    """

    workers: frozenset[str] = frozenset()
    entries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FaultTrial:
    """A trial of a fault run: one side, its history, what the checker and the audit found.

    ``title`` says in a few words what the design is. The times of ``jobs`` are on the clocks of
    their owners, which have to be that of this machine. ``metrics`` are what the processes reported
    of themselves, empty if nobody asked them, ``servers`` what the databases did.
    """

    side: str
    title: str
    history: History
    verdict: Verdict
    jobs: Sequence[JobRow]
    parts: Parts
    metrics: MetricSeries = field(default_factory=MetricSeries)
    servers: MetricSeries = field(default_factory=MetricSeries)


@dataclass(frozen=True)
class Outage:
    """A stretch of time in which ``calls`` of a method were attempted and none was answered."""

    begun_us: int
    ended_us: int
    calls: int
    sure: bool

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.ended_us - self.begun_us) / SECOND


@dataclass(frozen=True)
class Downtime:
    """Time without service in a window: in all, the longest, and what too few calls speak for."""

    total_s: float = 0.0
    longest_s: float = 0.0
    unsure_s: float = 0.0


@dataclass(frozen=True)
class Availability:
    """How many calls ended, and how many of them were answered."""

    calls: int = 0
    answered: int = 0

    @property
    def share(self) -> float | None:
        """The part that was answered; ``None`` without a call."""
        return self.answered / self.calls if self.calls else None

    def __add__(self, other: Availability) -> Availability:
        return Availability(self.calls + other.calls, self.answered + other.answered)


@dataclass(frozen=True)
class Recovery:
    """What became of the jobs that a process was running when a fault hit it.

    ``held`` are those known to have run there. Of them, ``rerun_s`` has how long after the fault
    each was started again, ``went_on`` ended without that, ``never`` did neither, and what came of
    the ``unknown`` nobody saw before their record was lost. ``inferred_s`` are jobs whose first
    execution nobody saw: created before the fault, started again after it.
    """

    held: int = 0
    rerun_s: tuple[float, ...] = ()
    went_on: int = 0
    never: int = 0
    unknown: int = 0
    inferred_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class Backlog:
    """Jobs queued or running around a fault.

    ``before`` is the median over the health before, ``peak`` the most until it is drained or the
    next fault begins. ``drain_s`` is the time from the heal until it is as before, save for the
    scatter of a count, and ``None`` if that was not reached in the ``watched_s`` seconds until the
    next fault.
    """

    before: float
    at_end: int
    peak: int
    drain_s: float | None
    watched_s: float


@dataclass(frozen=True)
class StateLoss:
    """What went with the memory of a process: accepted jobs, and results of jobs that were kept.

    ``accepted_before`` jobs were accepted when it happened. ``sure`` of the ``jobs`` can have been
    lost in no other fault.
    """

    processes: tuple[str, ...]
    accepted_before: int
    jobs: int
    sure: int
    results: int

    @property
    def share(self) -> float | None:
        """Jobs lost, as a part of those accepted before."""
        return self.jobs / self.accepted_before if self.accepted_before else None


@dataclass(frozen=True)
class MeasuredFault:
    """One fault and all that is known of it.

    It lasts from ``begun_us`` to ``ended_us``, when it was healed, and is followed by health until
    ``until_us``. ``role`` is what its targets are, without their numbers. ``downtime`` is of the
    time until ``until_us``, by method; ``availability`` of the calls that met the fault itself.
    ``recovery`` is there if a target runs jobs, ``loss`` if a process lost its memory, ``rates`` if
    the times of the jobs are known.
    """

    id: int
    kind: str
    targets: tuple[str, ...]
    role: str
    begun_us: int
    ended_us: int
    until_us: int
    details: Mapping[str, str] = field(default_factory=dict)
    downtime: Mapping[str, Downtime] = field(default_factory=dict)
    availability: Mapping[str, Availability] = field(default_factory=dict)
    recovery: Recovery | None = None
    backlog: Backlog | None = None
    loss: StateLoss | None = None
    rates: Rates | None = None

    @property
    def name(self) -> str:
        """The kind with what it hit."""
        return f"{self.kind} {self.target}"

    @property
    def target(self) -> str:
        """What it hit, in a word."""
        return ", ".join(self.targets) or "nothing"

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.ended_us - self.begun_us) / SECOND


@dataclass(frozen=True)
class ErrorKind:
    """Calls of a method that ended in the same way without the answer that was asked for.

    ``is_answer`` marks those in which a working service says no, such as “not finished yet”.
    """

    method: str
    code: str
    reason: str
    definite: bool
    is_answer: bool
    during: int
    outside: int


@dataclass(frozen=True)
class MethodService:
    """A method over the whole drive. ``before`` are outages that began before any fault."""

    during: Availability
    outside: Availability
    downtime: Downtime
    before: Downtime


@dataclass(frozen=True)
class JobCounts:
    """Jobs of a trial. What the checker counts has the checker's names; ``None`` is not counted.

    ``run_again`` jobs ended under a higher attempt than the first. Executions in excess are those
    beyond the first of a job: ``excess_seen`` were seen to start, ``excess_at_most`` is what the
    attempts allow, which may skip numbers.
    """

    accepted: int | None
    lost: int | None
    lost_with_state: int | None
    expired: int | None
    recovered: int | None
    unexpected: int | None
    duplicated: int | None
    run_again: int
    excess_seen: int
    excess_at_most: int


@dataclass(frozen=True)
class Timeline:
    """Second by second from the begin of the drive, cut off at its last whole second.

    ``backlog`` is the most in each second; empty if it is not known.
    """

    answered: tuple[int, ...]
    errors: tuple[int, ...]
    backlog: tuple[int, ...]


@dataclass(frozen=True)
class FaultFigures:
    """All figures of a trial under faults.

    Of ``unended`` calls no end is known, of ``untimed`` jobs no usable times. No fault can have
    taken the ``unexplained`` lost jobs. The backlog is that of the processes, as
    scraped, if it is ``sampled``, else worked out from the times of the jobs. ``servers`` is what
    the databases did.
    """

    side: str
    title: str
    begun_us: int
    ended_us: int
    jobs: JobCounts
    faults: tuple[MeasuredFault, ...]
    service: Mapping[str, MethodService]
    errors: tuple[ErrorKind, ...]
    timeline: Timeline
    verdict: Verdict
    unended: int = 0
    untimed: int = 0
    unexplained: int = 0
    sampled: bool = False
    servers: tuple[ServerStory, ...] = ()

    @property
    def seconds(self) -> float:
        """How long the drive lasted."""
        return (self.ended_us - self.begun_us) / SECOND

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that were called, after the name that stands for all of them."""
        return tuple(self.service)


def parts_of(topology: Topology, endpoints: Sequence[str]) -> Parts:
    """Return the parts of a design whose entries clients call at ``endpoints``, in that order."""
    return Parts(
        frozenset(each.name for each in topology.processes if each.slot_share),
        dict(zip(endpoints, topology.entries, strict=True)),
    )

"""A trial and an experiment as they were recorded, as immutable values.

Times named ``*_us`` are whole microseconds since the Unix epoch on the clock of a job's owner;
times named ``*_unix`` are seconds since the Unix epoch on the clock of this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

FINISHED_STATES = frozenset({"DONE", "FAILED"})
TERMINAL_STATES = FINISHED_STATES | {"CANCELED"}

COMPLETE = "complete"
FAILED = "failed"
INTERRUPTED = "interrupted"

STACK = "stack"
GENERATOR = "generator"


class Histogram(Protocol):
    """The part of an HDR histogram that is read here; values are microseconds."""

    def get_total_count(self) -> int:
        """Return the number of recorded values."""

    def get_value_at_percentile(self, percentile: float) -> float:
        """Return the value at ``percentile``, 0 to 100."""


@dataclass(frozen=True)
class Window:
    """The measured part of a drive: after the warm-up, before the users stop."""

    from_unix: float
    to_unix: float

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.to_unix - self.from_unix

    def holds_us(self, time_us: int | None) -> bool:
        """Whether a time in microseconds lies in the window; ``None`` does not."""
        return time_us is not None and self.from_unix * 1e6 <= time_us < self.to_unix * 1e6


@dataclass(frozen=True)
class CallRecording:
    """One kind of call in the window: latencies of the answered ones, and the errors."""

    name: str
    latencies: Histogram
    definite: int = 0
    indefinite: int = 0
    error_kinds: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadRecording:
    """What the load generator saw. ``accepted_ids`` includes the jobs of the warm-up."""

    window: Window
    calls: Mapping[str, CallRecording]
    accepted_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job after the drive. ``problem`` is empty unless the job is lost, and then says how.

    ``accepted`` is false for a job that the stack lists although no client was told its id, the
    trace of a submit with an indefinite outcome.
    """

    job_id: str
    accepted: bool
    state: str
    attempt: int = 0
    create_us: int | None = None
    start_us: int | None = None
    finish_us: int | None = None
    worker: str = ""
    failure: str = ""
    problem: str = ""

    @property
    def lost(self) -> bool:
        """Whether the job was accepted and has not been found terminal."""
        return self.accepted and bool(self.problem)


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """CPU seconds used so far (with children) and resident bytes of one process at one moment."""

    unix: float
    role: str
    process: str
    cpu_seconds: float
    rss_bytes: int


@dataclass(frozen=True)
class TrialHeader:
    """Which trial it was and how it ended.

    ``side`` is 0 for the first design of a comparison and 1 for the second, ``position`` the
    place within its round. ``status`` is ``complete``, ``failed`` or ``interrupted``. ``settings``
    is what the stack ran with besides its defaults, ``phases`` the seconds that each phase took.
    """

    number: int
    round: int
    position: int
    side: int
    design: str
    status: str
    error: str = ""
    runtime: str = ""
    endpoints: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    started: str = ""
    phases: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialRecording:
    """Everything one trial left behind; ``load`` is ``None`` exactly if it did not complete."""

    header: TrialHeader
    load: LoadRecording | None = None
    jobs: tuple[JobRow, ...] = ()
    resources: tuple[ResourceRow, ...] = ()


@dataclass(frozen=True)
class ExperimentRecording:
    """A comparison as recorded: its plan and provenance as plain data, and its trials in order."""

    designs: tuple[str, str]
    plan: Mapping[str, Any]
    provenance: Mapping[str, Any]
    trials: tuple[TrialRecording, ...]

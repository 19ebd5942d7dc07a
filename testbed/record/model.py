"""A trial and an experiment as they were recorded, as immutable values.

Times named ``*_us`` are whole microseconds since the Unix epoch on the clock of a job's owner;
times named ``*_unix`` are seconds since the Unix epoch on the clock of this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypedDict

from testbed.record import calls
from testbed.record.calls import RESPONSE, SERVICE, CallSeries
from testbed.record.series import MetricSeries

FINISHED_STATES = frozenset({"DONE", "FAILED"})
TERMINAL_STATES = FINISHED_STATES | {"CANCELED"}
OPEN_STATES = frozenset({"QUEUED", "RUNNING"})
EXPIRED = "EXPIRED"
"""In the place of a state: the stack has forgotten the job, and its retention may be over."""

COMPLETE = "complete"
FAILED = "failed"
INTERRUPTED = "interrupted"

STACK = "stack"
GENERATOR = "generator"

# Runtime of a trial whose server was there already: nothing is known of its processes.
EXTERNAL = "external"

CLOSED = "closed"
OPEN = "open"

Window = calls.Window


class Histogram(Protocol):
    """The part of an HDR histogram that analysis reads; values are microseconds."""

    def get_total_count(self) -> int:
        """Return the number of recorded values."""

    def get_value_at_percentile(self, percentile: float) -> float:
        """Return the value at ``percentile``, 0 to 100."""


@dataclass(frozen=True)
class Offered:
    """What an open loop was to send: calls per second, how they arrive, the most in flight.

    All are ``None`` in a closed loop. With a shape, ``rate`` is the highest.
    """

    rate: float | None = None
    process: str | None = None
    max_in_flight: int | None = None


@dataclass(frozen=True)
class Step:
    """A part of a drive in which the load was to stand still: ``value`` users, or calls per second.

    A ramp or a wave is one step for each of the pieces that it is cut into.
    """

    index: int
    label: str
    value: float
    window: Window


@dataclass(frozen=True, slots=True)
class Second:
    """What happened to all calls in the second that begins at ``unix``, over all processes.

    ``due`` were to be sent by the schedule, ``sent`` were, ``dropped`` never will be, because too
    many were in flight. In a closed loop a call is due when it is sent. Calls that ended count as
    ``answered``, as ``expected`` (an answer without a result that is no failure), or as errors.
    ``in_flight_max`` is the sum of the highest numbers of each process, ``generator_cpu`` in
    seconds.
    """

    unix: int
    due: int = 0
    sent: int = 0
    dropped: int = 0
    answered: int = 0
    expected: int = 0
    definite: int = 0
    indefinite: int = 0
    in_flight_max: int = 0
    generator_cpu: float = 0.0

    @property
    def ended(self) -> int:
        """Calls that ended, whichever way."""
        return self.answered + self.expected + self.definite + self.indefinite


@dataclass(frozen=True)
class LoadRecording:
    """What the load generator saw of a whole drive, the warm-up included.

    ``window`` is the whole drive and ``nominal_warmup`` what was asked for, in seconds;
    ``seconds`` are in order and without gaps. ``calls`` has a series for each name.
    ``asked_seconds`` is how long the drive was to last, ``None`` if until somebody ended it, or
    unknown, as in records from before it was written.
    """

    window: Window
    loop: str
    offered: Offered
    nominal_warmup: float
    steps: tuple[Step, ...]
    seconds: tuple[Second, ...]
    calls: Mapping[str, CallSeries]
    accepted_ids: frozenset[str]
    asked_seconds: float | None = None

    @property
    def latency(self) -> str:
        """The kind of time that is a call's latency: from the intended send if there is one."""
        return RESPONSE if self.loop == OPEN else SERVICE

    @property
    def after_nominal(self) -> Window:
        """The whole seconds after the nominal warm-up; a trial may have to be cut later."""
        return self.after(self.nominal_warmup)

    def after(self, warmup: float) -> Window:
        """Return the whole seconds that begin ``warmup`` seconds after the drive or later."""
        return Window(self.window.from_unix + warmup, self.window.to_unix).whole()

    def in_window(self, window: Window) -> tuple[Second, ...]:
        """Return the rows of the seconds that lie wholly in ``window``."""
        inside = window.whole_seconds()
        return tuple(each for each in self.seconds if each.unix in inside)


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job after the drive.

    ``problem`` is empty if it was found terminal, and else says why it is lost, or why it is not
    known to be there. ``accepted`` is false for a job that the stack lists although no client was
    given its id, the trace of a submit with an indefinite outcome.
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
        """Whether the job was accepted and has not been found terminal.

        One of which nothing was found out counts: that it could not be asked for is no proof.
        """
        return (
            self.accepted
            and not self.expired
            and (bool(self.problem) or self.state not in TERMINAL_STATES)
        )

    @property
    def expired(self) -> bool:
        """Whether the stack does not know the job any more, as it may; how it ended is unknown."""
        return self.state == EXPIRED

    @property
    def left(self) -> bool:
        """Whether nobody was promised the job, and it is there and has not ended."""
        return not self.accepted and self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """What one process has used so far, with its children, and the memory that it has now.

    ``rss_bytes`` are resident bytes, those that its children share counted once, of a container
    those of its control group. The rest is how a
    CPU limit held it back, ``None`` where nobody kept account of that: seconds (over all cores) and
    periods of the limit, all and those that were cut short.
    """

    unix: float
    role: str
    process: str
    cpu_seconds: float
    rss_bytes: int
    throttled_seconds: float | None = None
    periods: int | None = None
    throttled_periods: int | None = None


class RecordedStatement(TypedDict, total=False):
    """What a stack said that it runs with: sums over its processes, and what all of them said."""

    design: str
    totals: Mapping[str, float]
    values: Mapping[str, str]


@dataclass(frozen=True)
class TrialHeader:
    """Which trial it was and how it ended.

    ``number`` is its place in the schedule, ``attempt`` counts the tries of that place.
    ``plan_cell`` has the level of each factor. ``side`` is the place of its side in the plan, from
    0; ``position`` counts the trials within block and cell. ``status`` is
    ``complete``, ``failed`` or ``interrupted``. ``settings`` is what the stack ran with besides
    its defaults, ``fairness`` what it reported to run with, ``declared`` what of that may differ on
    this side, with what says so, and ``phases`` the seconds that each took. ``budget`` has for each
    process with a limit ``cpus`` (cores) and ``memory_bytes``, either of which may be ``None``; it
    is empty if no process has one. ``processes`` are all of the stack, whose CPU and memory are to
    be sampled, ``scraped`` those whose metrics are to be read; both are empty in recordings from
    before they were named.
    """

    number: int
    block: int
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
    plan_cell: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    fairness: RecordedStatement = field(default_factory=RecordedStatement)
    budget: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    processes: tuple[str, ...] = ()
    scraped: tuple[str, ...] = ()
    declared: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raise ``ValueError`` if the values of a header that was read go together in no trial."""
        if self.status not in {COMPLETE, FAILED, INTERRUPTED}:
            raise ValueError(f"status is {self.status!r}")
        least = {"number": 1, "block": 1, "position": 1, "side": 0, "attempt": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ValueError(f"{name} is {getattr(self, name)}, less than {value}")
        if self.started:
            try:
                datetime.fromisoformat(self.started)
            except ValueError as error:
                raise ValueError(f"started is no time: {error}") from error


@dataclass(frozen=True)
class TrialRecording:
    """Everything one trial left behind; ``load`` is ``None`` exactly if it did not complete.

    ``metrics`` are of our own processes, ``servers`` of the databases of the stack, if it has any.
    """

    header: TrialHeader
    load: LoadRecording | None = None
    jobs: tuple[JobRow, ...] = ()
    resources: tuple[ResourceRow, ...] = ()
    metrics: MetricSeries = field(default_factory=MetricSeries)
    servers: MetricSeries = field(default_factory=MetricSeries)


@dataclass(frozen=True)
class ExperimentRecording:
    """A comparison as recorded: its plan and provenance as plain data, and its trials in order.

    ``sides`` are those of the plan, as texts, the reference first.
    ``schedule`` has every planned trial as plain data, by ``number``. ``ended`` says how the
    experiment ended: ``reason`` in words, and in ``needless`` the numbers that were not run because
    enough was known. It is empty while an experiment runs, or if it was killed. ``source`` is the
    file that plan and schedule are from.
    """

    sides: tuple[str, ...]
    plan: Mapping[str, Any]
    provenance: Mapping[str, Any]
    trials: tuple[TrialRecording, ...]
    schedule: tuple[Mapping[str, Any], ...] = ()
    ended: Mapping[str, Any] = field(default_factory=dict)
    source: str = "the recorded plan"

    @property
    def needed(self) -> tuple[int, ...]:
        """The numbers of the trials that have to be there for the experiment to be complete."""
        needless = set(self.ended.get("needless", ()))
        return tuple(
            int(each["number"]) for each in self.schedule if each["number"] not in needless
        )

"""What a history holds.

Times are whole microseconds on the monotonic clock of the machine, which all processes on it share
and which nothing sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

OPEN_END = 1 << 62
"""When a call ends of which no end is known: after everything else."""

Whole = Annotated[int, Meta(ge=-(1 << 63) + 1, le=(1 << 63) - 1)]
"""A whole number of 64 bits."""

ALL_JOBS: Final = "all"
LostJobs = Literal["all"] | tuple[Annotated[int, Meta(ge=0, le=(1 << 63) - 1)], ...]
"""Which jobs went with a memory: all, or those whose ids name one of these homes."""

IDS_BY_HOME: Final = "by home"
"""What a head says of ids as :mod:`common.domain.ids` makes them: each names its home, and those of
one home are in the order of acceptance."""


class CallOutcome(StrEnum):
    """What is known of a call."""

    OK = "ok"
    """It was answered."""
    FAIL = "fail"
    """It was refused, and certainly had no effect."""
    INDEFINITE = "indefinite"
    """It may have had its effect, or may have it yet; also a call whose end was never recorded."""


class Seen(Struct, frozen=True, omit_defaults=True, rename={"job_id": "job"}):
    """A job's status, as an answer showed it. The times of the job are on its owner's clock."""

    job_id: str
    kind: str
    state: str
    attempt: Whole = 0
    worker: str = ""
    create_us: Whole | None = None
    start_us: Whole | None = None
    finish_us: Whole | None = None
    failure: str = ""
    cancel_requested: bool = False


@dataclass(frozen=True, slots=True)
class Submitted:
    """What ``SubmitJob`` was asked. ``digest`` distinguishes jobs.

    ``output`` is the digest of what every execution gives that succeeds, empty if that is not
    decided by the job alone.
    """

    kind: str
    digest: str
    request_id: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Which page ``ListJobs`` was asked for.

    ``scan`` ties the pages of one listing together; empty if it is not known which those are, and
    then ``number``, which counts the pages from 0, says nothing. ``state`` and ``kind`` are the
    filters, empty for none.
    """

    scan: str
    number: int
    state: str = ""
    kind: str = ""
    page_size: int = 0


class Result(Struct, frozen=True, omit_defaults=True):
    """What ``GetJobResult`` answered; ``digest`` of its output."""

    state: str
    digest: str
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """What ``ListJobs`` answered: the jobs in order, and whether there are more."""

    jobs: tuple[Seen, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One call, from its invocation to its completion.

    ``asked`` is :class:`Submitted`, :class:`Page` or the id of a job. ``answer`` is there exactly
    if the outcome is OK: the id of the accepted job, :class:`Seen` of a status or a cancel,
    :class:`Result` or :class:`Listed`. ``code`` and ``reason`` say why there is none.
    """

    id: int
    client: str
    endpoint: str
    call: str
    asked: Submitted | Page | str
    invoked: int
    completed: int = OPEN_END
    outcome: CallOutcome = CallOutcome.INDEFINITE
    answer: str | Seen | Result | Listed | None = None
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """Something that was done to the system on purpose, and when it began and was over.

    ``targets`` are processes, or links written ``caller>callee``. ``lost_state`` names the
    processes whose memory is lost with it, for people; ``lost_jobs`` says which jobs they held:
    these may be lost, and nothing else.
    """

    id: int
    kind: str
    targets: tuple[str, ...]
    begun: int
    ended: int = OPEN_END
    lost_state: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    lost_jobs: LostJobs = ()


@dataclass(frozen=True)
class History:
    """A whole history: the operations by their invocation, the faults, and what the head says.

    ``design`` is empty if the system is none of ours. ``ids`` is :data:`IDS_BY_HOME`, or empty if
    ids say nothing beyond the contract. ``unix_us`` is the time of the system's clock
    at which the monotonic one stood at ``clock_us``. ``unfinished`` are the files that do not say
    that they are whole: their writers were killed, or wrote no end. ``retention_us`` is how long
    after its end a job may be forgotten, 0 for never.
    """

    operations: tuple[Operation, ...]
    faults: tuple[FaultEvent, ...] = ()
    design: str = ""
    unix_us: int = 0
    clock_us: int = 0
    unfinished: tuple[Path, ...] = field(default=(), compare=False)
    ids: str = ""
    retention_us: int = 0

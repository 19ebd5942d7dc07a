"""Jobs and what happens to them, as immutable values.

Times are whole microseconds since the Unix epoch on the clock of the job's owner.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

MICROSECONDS = 1_000_000
"""Microseconds in a second."""

MAX_PAYLOAD_BYTES = 1 << 20
MAX_OUTPUT_BYTES = 1 << 20
MAX_REQUEST_ID_BYTES = 128
# Entries that travel together stay below this, so that they fit into one message.
MAX_BATCH_BYTES = 4 << 20


class JobState(IntEnum):
    """The canonical states, numbered as in the contract."""

    QUEUED = 1
    RUNNING = 2
    DONE = 3
    FAILED = 4
    CANCELED = 5

    @property
    def terminal(self) -> bool:
        """Whether no step leads out of this state."""
        return self >= JobState.DONE


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What is to be done. ``execution_timeout`` is in microseconds, ``None`` for no limit."""

    kind: str
    payload: bytes = b""
    execution_timeout: int | None = None

    def digest(self) -> bytes:
        """32 bytes that differ whenever any part of the spec differs."""
        head = f"{len(self.kind)}:{self.kind}:{self.execution_timeout}:".encode()
        return hashlib.sha256(head + self.payload).digest()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: a stable upper-snake reason and an explanation."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job's record at one moment. ``attempt`` is 0 before the first execution."""

    id: str
    kind: str
    state: JobState
    create_time: int
    attempt: int = 0
    start_time: int | None = None
    finish_time: int | None = None
    worker: str = ""
    failure: Failure | None = None
    cancel_requested: bool = False


class Execution(NamedTuple):
    """One run of one job. The attempt is its fencing token: minted by the queue, it only rises."""

    job_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """A leased queue entry: an execution and what is to be done."""

    execution: Execution
    spec: JobSpec
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended: DONE with output, FAILED with a failure, or CANCELED."""

    state: JobState
    output: bytes = field(default=b"", repr=False)
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a terminal job produced."""

    state: JobState
    output: bytes = field(default=b"", repr=False)
    failure: Failure | None = None
